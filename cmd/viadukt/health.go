package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

var healthCommand = &command{
	name: "health", summary: "asks a running node on this machine whether its store answers: for containers and scripts.",
	example: "viadukt health --config ee/viadukt.yaml",
	prepare: func(c *call) func() error {
		file := c.configFlag()
		return func() error {
			cfg, err := c.loadConfig(*file)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.p.ctx, 5*time.Second)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, apiURL(cfg)+"/readyz", nil)
			if err != nil {
				return err
			}
			client, err := ownClient(cfg)
			if err != nil {
				return err
			}
			resp, err := client.Do(req)
			if err != nil {
				return &exit{status: statusFailed, Code: "NO_NODE", Text: fmt.Sprintf("no node answers: %v", err)}
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return &exit{status: statusFailed, Code: "NOT_READY", Text: "the node answers " + resp.Status}
			}
			c.printf("ready\n")
			return nil
		}
	},
}
