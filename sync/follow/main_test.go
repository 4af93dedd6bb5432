package follow_test

import (
	"os"
	"testing"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/internal/tuning"
)

const environment = natstest.Environment

var testLogger = zerolog.Nop()

func TestMain(m *testing.M) {
	waiting.Beside(4)
	os.Exit(m.Run())
}

// soaking reports whether the long loops are wanted.
func soaking() bool { return os.Getenv("FLAGSIDE_SOAK") == "1" }

// seeds returns how many seeds a test runs.
func seeds(few, many int) int {
	if soaking() {
		return many
	}
	return few
}

// early lets a follower take a published snapshot whatever it saves.
func early(t *tuning.Follower) { t.SnapshotGain = 1 }
