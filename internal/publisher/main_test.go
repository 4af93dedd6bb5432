package publisher_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/flagside/flagside/internal/waiting"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		if err := carryOut(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	waiting.Beside(6)
	os.Exit(m.Run())
}
