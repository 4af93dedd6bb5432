package decide_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/risk"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
)

// Flags in use are deleted and archived only by those who know that they are, also those that go along with others.
func TestFlagsInUseAreKept(t *testing.T) {
	t.Parallel()
	s := statetest.Shop(t)
	s.Put(t, statetest.FlagDocument("d", statetest.FlagBody("on", statetest.Requires("b"))))
	used := func(keys ...string) risk.Usage {
		return func(flag string) risk.Use {
			if slices.Contains(keys, flag) {
				return risk.Use{Known: true, InUse: true, By: []string{"cart", "shop"}}
			}
			return risk.Use{Known: true}
		}
	}
	d := statetest.FlagID("d")
	for name, test := range map[string]struct {
		command decide.Command
		usage   risk.Usage
		origin  decide.Origin
		refused bool
	}{
		"delete":             {decide.Delete{ID: d, If: seen(6)}, used("d"), decide.Origin{}, true},
		"archive":            {decide.Archive{ID: d, If: seen(6)}, used("d"), decide.Origin{}, true},
		"what goes along":    {decide.Archive{ID: statetest.FlagID("a"), If: seen(2), Force: true}, used("d"), decide.Origin{}, true},
		"another one":        {decide.Delete{ID: d, If: seen(6)}, used("a"), decide.Origin{}, false},
		"known":              {decide.Delete{ID: d, If: seen(6)}, used("d"), decide.Origin{InUse: true}, false},
		"nothing is counted": {decide.Delete{ID: d, If: seen(6)}, nil, decide.Origin{}, false},
		"a toggle":           {decide.Toggle{Flag: "d", If: seen(6)}, used("d"), decide.Origin{}, false},
	} {
		decision, err := decide.Change(s, test.command)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		in := decide.DecisionInput{Environment: "staging", State: s, Origin: test.origin, Usage: test.usage}
		err = decide.Unused(in, test.command, decision)
		if isRefused(err, decide.CauseInUse) != test.refused || test.refused && !strings.Contains(err.Error(), `Flag "d" is in use: cart, shop asked for it`) {
			t.Errorf("%s: %v", name, err)
		}
		preview := decide.PreviewOf(requests.NewGovernance("staging"), in, test.command, decision)
		if (preview.Refused != nil) != test.refused {
			t.Errorf("%s: the preview says %v", name, preview.Refused)
		}
	}
}
