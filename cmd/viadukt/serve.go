package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/agreements"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

// defaultConfig is where commands look for the configuration.
const defaultConfig = "viadukt.yaml"

func (c *call) configFlag() *string {
	return c.String("config", defaultConfig, "configuration `file` of the node")
}

var serveCommand = &command{
	name: "serve", summary: "runs a node until you stop it with Ctrl-C.",
	example: "viadukt serve --config ee/viadukt.yaml",
	prepare: func(c *call) func() error {
		file := c.configFlag()
		return func() error { return c.serve(*file) }
	},
}

func (c *call) serve(file string) error {
	cfg, err := c.loadConfig(file)
	if err != nil {
		return err
	}
	ds := domains()
	if err := cfg.CheckDomains(names(ds)...); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGPIPE) // who reads the log may end before the node does
	log := logger(c.p.err, cfg.Log)
	n, err := node.New(c.p.ctx, cfg, node.Options{Domains: ds, Log: log, ImportPModes: agreements.ForNode})
	if errors.Is(err, sqlite.ErrLocked) {
		return &exit{status: statusFailed, Code: "RUNNING", Text: "this node is running already", Where: string(cfg.Node.DataDir), Remedy: "stop the other one first, or start a node of another folder"}
	}
	if err != nil {
		return err
	}
	// What is under way when the signal comes is finished by Stop.
	if err := n.Start(context.WithoutCancel(c.p.ctx)); err != nil {
		return err
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for running := true; running; {
		select {
		case <-hangup:
			n.Reload(c.p.ctx) // what is wrong is in the log, and the agreements in use stay
		case <-c.p.ctx.Done():
			running = false
		}
	}
	log.Info("node stopping", slog.String("node", cfg.Node.Name))
	if err := n.Stop(context.Background()); err != nil {
		return err
	}
	log.Info("node stopped", slog.String("node", cfg.Node.Name))
	return nil
}

func names(ds []node.Domain) (out []string) {
	for _, d := range ds {
		out = append(out, d.Name())
	}
	return out
}

func logger(w io.Writer, l config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		level = slog.LevelInfo // the configuration knows no other names
	}
	opt := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}
