package procurement_test

import (
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/internal/childnode"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
)

// TestMain also is the node that the kill test starts and kills.
func TestMain(m *testing.M) {
	childnode.Main(m, childnode.Options{Domains: func() []node.Domain { return []node.Domain{procurement.New()} }, Tune: quickRetries})
}

// quickRetries gives up practically never, and does not make a test wait.
func quickRetries(c *config.Config) {
	c.Outbound.MaxAttempts, c.Outbound.Factor = 1000, 1
	c.Outbound.FirstRetry, c.Outbound.MaxPause = config.Duration(time.Second), config.Duration(time.Second)
}
