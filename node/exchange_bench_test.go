package node_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
)

// BenchmarkExchange is a message of 5 kB from its submission to its receipt, between two nodes with full durability, 16
// at a time: pushed, and fetched by the receiver.
func BenchmarkExchange(b *testing.B) {
	for _, way := range []struct {
		name, profile string
		pull          bool
	}{
		{"push/rsa2048", "eu-edelivery", false}, {"pull/rsa2048", "eu-edelivery", true},
		{"push/ed25519", "eu-edelivery2", false}, {"pull/ed25519", "eu-edelivery2", true},
	} {
		b.Run(way.name, func(b *testing.B) {
			made := [2]*setup.Result{}
			made[0], made[1] = agreeBy(b, way.profile)
			if way.pull {
				pulled(b, made[0], made[1], 16)
			}
			var nodes [2]*node.Node
			done := make(chan struct{}, 1<<16)
			for i, r := range made {
				c, err := config.Load(r.ConfigFile)
				if err != nil {
					b.Fatal(err)
				}
				c.Outbound.PerPeer, c.Outbound.Workers = 16, 16
				opt := node.Options{}
				if c.Outbound.FirstRetry = config.Duration(time.Minute); i == 0 {
					opt.Changed = func(_ *store.Message, to store.State) {
						if to == store.Acknowledged {
							done <- struct{}{}
						}
					}
				}
				if nodes[i], err = node.New(context.Background(), c, opt); err != nil {
					b.Fatal(err)
				}
				if err := nodes[i].Start(context.Background()); err != nil {
					b.Fatal(err)
				}
				defer nodes[i].Stop(context.Background())
			}
			payload := noise(1, 5000)
			b.SetBytes(int64(len(payload)))
			b.ResetTimer()
			var hands sync.WaitGroup
			work := make(chan struct{})
			for range 16 {
				hands.Go(func() {
					for range work {
						if _, err := nodes[0].Accept(context.Background(), letter(octets("a", payload))); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for range b.N {
				work <- struct{}{}
			}
			close(work)
			hands.Wait()
			for range b.N {
				<-done
			}
		})
	}
}
