package attacks

import (
	"os"
	"testing"

	"github.com/flagside/flagside/internal/waiting"
)

func TestMain(m *testing.M) {
	waiting.Beside(6)
	os.Exit(m.Run())
}
