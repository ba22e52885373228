package main

import (
	"runtime"

	"github.com/viadukt-eu/viadukt/node"
)

var versionCommand = &command{
	name: "version", summary: "says which program this is.", example: "viadukt version --json",
	prepare: func(c *call) func() error {
		c.jsonFlag()
		return func() error {
			if c.json {
				return c.print(map[string]string{"version": node.Version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
			}
			c.printf("viadukt %s (%s, %s/%s)\n", node.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		}
	},
}
