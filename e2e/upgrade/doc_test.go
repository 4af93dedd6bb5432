// Package upgrade_test runs the programs of several versions together, in the orders that docs/upgrading.md allows and in those that it forbids.
package upgrade_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	_ "github.com/flagside/flagside/internal/dev" // what the programs are made of, so that a remembered result never outlives a change
	"github.com/flagside/flagside/internal/process"
)

// before is the version before this one: the commit that last changed what travels between the programs. It becomes the last tag.
const before = "55272d5be416029ef7892c77bea8048a7e2ba824"

// environment is what all programs here serve.
const environment = "prod"

// built are the programs of the versions that are needed.
type built struct {
	now, old process.Binaries
}

var (
	folder string
	build  = sync.OnceValues(func() (built, error) {
		now, err := process.Build(context.Background(), folder)
		if err != nil {
			return built{}, err
		}
		old, err := now.At(context.Background(), before)
		return built{now: now, old: old}, err
	})
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	made, err := os.MkdirTemp("", "flagside-upgrade-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(made) }()
	folder = made
	return m.Run()
}

// programs returns the programs of this version and of the one before.
func programs(t *testing.T) built {
	t.Helper()
	if os.Getenv("FLAGSIDE_SOAK") == "" {
		t.Skip("compiles another version of everything, which takes a minute; FLAGSIDE_SOAK=1 runs it")
	}
	b, err := build()
	if errors.Is(err, process.ErrNoCommit) {
		t.Skipf("needs the history of the project: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// deadline returns a context for a whole test.
func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}
