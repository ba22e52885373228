package backoffice

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node/config"
)

// Settings is the section backoffice of the configuration.
type Settings struct {
	SOAP           bool            `yaml:"soap" doc:"Serve the SOAP interfaces of Domibus on the API's address: /domibus/services/wsplugin and /domibus/services/backend."`
	REST           bool            `yaml:"rest" doc:"Serve calls of Domibus' REST interface under /domibus/ext. They always need a user."`
	MTOM           bool            `yaml:"mtom" doc:"Answer retrieveMessage with the payloads as parts beside the envelope, instead of base64 in it."`
	PendingMax     int             `yaml:"pendingMax" default:"500" min:"0" doc:"Messages that listPendingMessages names at most; 0 names all."`
	KeepDownloaded config.Duration `yaml:"keepDownloaded" doc:"How long payloads are kept after the back office downloaded them. 0: as long as the node keeps messages."`
	Users          []User          `yaml:"users" doc:"Who may call. Without users everybody may, and the API must listen on this machine alone."`
	Proxies        []string        `yaml:"proxies" example:"[10.0.0.5/32]" doc:"Networks of the proxies whose header Client-Cert is believed. Default: none."`
	Push           []Push          `yaml:"push" doc:"Back offices that are told over SOAP. Of several rules that fit, the first is taken."`
	Webhooks       []Webhook       `yaml:"webhooks" doc:"Addresses that are told of state changes by signed JSON."`
	AllowPrivate   bool            `yaml:"allowPrivateAddresses" doc:"Allow webhooks in private networks."`
	Folders        Folders         `yaml:"folders" doc:"Folders in the layout of Domibus' file system plugin."`
}

// User is a program of a back office.
type User struct {
	Name         string        `yaml:"name" required:"true" example:"registry" doc:"Name of the user."`
	Password     config.Secret `yaml:"password" doc:"Password for HTTP Basic."`
	Certificate  config.Path   `yaml:"certificate" doc:"PEM file with the certificate that the user shows instead of a password."`
	Admin        bool          `yaml:"admin" doc:"May see and send everything."`
	OriginalUser string        `yaml:"originalUser" example:"urn:oasis:names:tc:ebcore:partyid-type:unregistered:C1" doc:"Where the user is no administrator: sends as this originalSender alone, and gets only what this finalRecipient receives."`
}

// Push is one rule.
type Push struct {
	Name        string     `yaml:"name" required:"true" doc:"Name of the rule, for the log."`
	Recipient   string     `yaml:"recipient" doc:"finalRecipient of the messages that it is about, ignoring case. Empty: all."`
	Endpoint    config.URL `yaml:"endpoint" required:"true" doc:"Where the back office listens."`
	Retry       string     `yaml:"retry" default:"60;5;CONSTANT" doc:"Minutes in which a failed notice is repeated, how often, and CONSTANT; or SEND_ONCE."`
	Types       []string   `yaml:"types" required:"true" enum:"SUBMIT_MESSAGE,RECEIVE_SUCCESS,RECEIVE_FAIL,SEND_SUCCESS,SEND_FAILURE,MESSAGE_STATUS_CHANGE,DELETED,DELETED_BATCH" doc:"What it tells."`
	KeepPending bool       `yaml:"keepPending" doc:"A message that was pushed stays in the list of pending ones, instead of counting as downloaded."`
}

// Webhook is one address.
type Webhook struct {
	URL        config.URL    `yaml:"url" required:"true" doc:"Where the call goes; https unless the address is in a private network that is allowed."`
	Secret     config.Secret `yaml:"secret" required:"true" doc:"Key of the signature in the header Viadukt-Signature."`
	States     []string      `yaml:"states" enum:"accepted,queued,sending,sent,acknowledged,acknowledged_without_receipt,received,delivered,confirmed,retrying,failed,rejected" doc:"States that are told. Default: acknowledged, failed, rejected, received and delivered."`
	Directions []string      `yaml:"directions" enum:"in,out" doc:"Whether messages that come in or go out are told. Default: both."`
}

// Folders are the folders of the file system layout.
type Folders struct {
	Root   config.Path     `yaml:"root" example:"fs" doc:"Folder that holds OUT, IN, SENT and FAILED. Without it this interface is off."`
	Poll   config.Duration `yaml:"poll" default:"10s" min:"100ms" doc:"How often OUT is looked at."`
	Still  config.Duration `yaml:"still" default:"2s" doc:"How long a file must not have changed to count as complete."`
	Sent   string          `yaml:"sent" default:"delete" enum:"delete,archive" doc:"What becomes of the file of an acknowledged message; archive moves it to SENT."`
	Failed string          `yaml:"failed" default:"archive" enum:"delete,archive" doc:"What becomes of the file of a failed message; archive moves it to FAILED. The reason is written there in any case."`
	Purge  config.Duration `yaml:"purge" doc:"Age at which files in SENT, FAILED and IN are deleted. 0: never."`
}

// Check implements config.Checker.
func (s *Settings) Check(report func(key, format string, args ...any)) {
	names := map[string]bool{}
	for _, u := range s.Users {
		switch {
		case names[u.Name]:
			report("users", "two users are named %q", u.Name)
		case u.Password.IsZero() && u.Certificate == "":
			report("users", "user %q has neither password nor certificate", u.Name)
		case !u.Admin && u.OriginalUser == "":
			report("users", "user %q is no administrator and has no originalUser: it could do nothing", u.Name)
		}
		names[u.Name] = true
	}
	for _, p := range s.Proxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			report("proxies", "%q is no network: write for example 10.0.0.5/32", p)
		}
	}
	rules := map[string]bool{}
	for _, p := range s.Push {
		if rules[p.Name] {
			report("push", "two rules are named %q", p.Name)
		}
		rules[p.Name] = true
		if _, err := parseRetry(p.Retry); err != nil {
			report("push", "rule %q: %v", p.Name, err)
		}
	}
	if s.REST && len(s.Users) == 0 {
		report("rest", "needs users: every call of this interface names one")
	}
}

// loopback reports whether an address to listen on is reached from this machine alone.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// retry is a schedule of repetitions at equal distances.
type retry struct {
	pause time.Duration
	times int
}

// parseRetry reads "minutes;times;CONSTANT" or SEND_ONCE.
func parseRetry(s string) (r retry, err error) {
	f := strings.Split(s, ";")
	if f[len(f)-1] == "SEND_ONCE" {
		return r, nil
	}
	bad := fmt.Errorf("retry %q: write minutes;times;CONSTANT or SEND_ONCE", s)
	if len(f) != 3 || f[2] != "CONSTANT" {
		return r, bad
	}
	minutes, err1 := strconv.Atoi(f[0])
	times, err2 := strconv.Atoi(f[1])
	if err1 != nil || err2 != nil || minutes < 1 || times < 1 || minutes > 100_000 || times > 10_000 {
		return r, bad
	}
	return retry{time.Duration(minutes) * time.Minute / time.Duration(times), times}, nil
}

// next says when to try again after a number of attempts; ok is false when no more.
func (r retry) next(made int, now time.Time) (at time.Time, ok bool) {
	return now.Add(r.pause), made <= r.times
}
