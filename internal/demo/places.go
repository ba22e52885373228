package demo

import (
	"net"
	"strconv"

	"github.com/viadukt-eu/viadukt/node/setup"
)

// Places say where things are while the demo runs.
type Places struct {
	Dir   string
	Nodes []Place
}

// Place is one node.
type Place struct {
	Country, Dir, Config, API, Outbox, Inbox string
	Console                                  string // address
	Password                                 string // of the console's user admin, to be changed at the first login
	Trap                                     bool   // the access point that misbehaves on request
	Month                                    bool   // the one with a month of invented traffic
}

func (w *world) places() *Places {
	p := &Places{Dir: w.dir}
	for _, c := range w.order {
		f := c.node.Config.Folders
		p.Nodes = append(p.Nodes, Place{
			Country: c.code, Dir: c.made.Dir, Config: c.made.ConfigFile, API: c.made.API, Outbox: string(f.Outbox), Inbox: string(f.Inbox),
			Console: c.made.API + "/console/", Password: c.made.Password, Trap: w.trap != nil && w.trap.country == c, Month: c.code == "SE",
		})
	}
	return p
}

// free reports whether the ports that the node would get are free.
func free(p setup.Params) bool {
	base, err := setup.NumberedPort(p.Network)
	if err != nil {
		return false
	}
	for i := range 4 {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(base+i)))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}
