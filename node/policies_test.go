package node_test

import (
	"context"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
)

func TestAPolicyThatIsNoIdentifierIsReported(t *testing.T) {
	t.Parallel()
	a, _ := agree(t)
	amend(t, a, "letters", "policies: [\"gold\"]")
	c, err := config.Load(a.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := node.New(context.Background(), c, node.Options{}); err == nil || !strings.Contains(err.Error(), `"gold" is no object identifier`) {
		t.Errorf("%v", err)
	}
}
