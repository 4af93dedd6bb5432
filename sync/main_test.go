package flagsync_test

import (
	"os"
	"testing"

	"github.com/flagside/flagside/internal/waiting"
)

func TestMain(m *testing.M) {
	waiting.Beside(4)
	os.Exit(m.Run())
}
