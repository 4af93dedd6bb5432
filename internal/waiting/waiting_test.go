package waiting_test

import (
	"flag"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/flagside/flagside/internal/waiting"
)

// beside is more than the machines have processors on which this is mostly run.
const beside = 6

func TestMain(m *testing.M) {
	waiting.Beside(beside)
	os.Exit(m.Run())
}

// As many tests as Beside was told wait for each other.
func TestBeside(t *testing.T) {
	t.Parallel()
	if flag.Lookup("test.parallel").Value.String() != strconv.Itoa(beside) {
		t.Skip("the command line says how many tests run at once")
	}
	all := new(sync.WaitGroup)
	all.Add(beside)
	for range beside {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			all.Done()
			all.Wait()
		})
	}
}
