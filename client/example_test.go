package client_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/viadukt-eu/viadukt/client"
)

// A letter is handed over and followed until its receipt is there.
func ExampleClient_Send() {
	ctx := context.Background()
	c := client.New("http://127.0.0.1:8480", os.Getenv("VIADUKT_TOKEN"))
	f, err := os.Open("letter.pdf")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := c.Send(ctx, client.Submission{PMode: "letters", Sender: "urn:example:id::ministry", Receiver: "urn:example:id::registry"},
		client.Part{Name: "letter.pdf", MimeType: "application/pdf", Body: f})
	if err != nil {
		log.Fatal(err)
	}
	if m, err = c.Wait(ctx, m.MessageID); err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.State)
}

// What arrived is fetched and confirmed; a message that was not confirmed appears again.
func ExampleClient_List() {
	ctx := context.Background()
	c := client.New("http://127.0.0.1:8480", os.Getenv("VIADUKT_TOKEN"))
	for m, err := range c.List(ctx, client.Filter{Direction: "in", States: []client.State{client.Delivered}}) {
		if err != nil {
			log.Fatal(err)
		}
		d, err := c.Payload(ctx, m.MessageID, 0)
		if err != nil {
			log.Fatal(err)
		}
		_, err = io.Copy(os.Stdout, d)
		d.Close()
		if err != nil {
			log.Fatal(err)
		}
		if _, err := c.Confirm(ctx, m.MessageID); err != nil {
			log.Fatal(err)
		}
	}
}

// A program that is always there hears of what arrives.
func ExampleClient_Events() {
	c := client.New("http://127.0.0.1:8480", os.Getenv("VIADUKT_TOKEN"))
	for e, err := range c.Events(context.Background(), "in", client.Delivered) {
		if err != nil {
			log.Fatal(err)
		}
		if e.Reset {
			continue // list what is there
		}
		fmt.Println(e.MessageID)
	}
}

// A web server takes the node's calls.
func ExampleVerifyWebhook() {
	secret := []byte(os.Getenv("VIADUKT_WEBHOOK_SECRET"))
	http.HandleFunc("POST /viadukt", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			return
		}
		e, err := client.VerifyWebhook(secret, r.Header, body, time.Now(), 5*time.Minute)
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		fmt.Println(e.MessageID, e.State)
	})
}
