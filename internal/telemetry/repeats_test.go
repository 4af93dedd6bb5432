package telemetry_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/telemetry"
)

func TestRepeatedLinesAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out logtest.Log
		r := telemetry.NewRepeats(zerolog.New(&out))
		line := func(kind string, times int) {
			for i := range times {
				r.Line(zerolog.WarnLevel, kind, func(e *zerolog.Event) { e.Msg(fmt.Sprintf("%s %d", kind, i)) })
			}
		}
		want := func(what string, parts ...string) {
			t.Helper()
			synctest.Wait()
			lines := slices.Collect(strings.Lines(out.Take()))
			if len(lines) != len(parts) {
				t.Fatalf("%s: %q, want %d lines", what, lines, len(parts))
			}
			for i, part := range parts {
				if !strings.Contains(lines[i], part) || !strings.Contains(lines[i], `"level":"warn"`) {
					t.Errorf("%s: line %s, want %s", what, lines[i], part)
				}
			}
		}
		line("a", 20_000)
		line("b", 1)
		want("at once", `"a 0"`, `"b 0"`)
		time.Sleep(10 * time.Second)
		want("after 10 s", `"kind":"a","count":19999`)
		line("a", 2)
		line("b", 1)
		want("b was forgotten", `"b 0"`)
		time.Sleep(10 * time.Second)
		want("after 20 s", `"kind":"a","count":2`)
		time.Sleep(11 * time.Second)
		line("a", 1)
		want("a was silent", `"a 0"`)
		time.Sleep(21 * time.Second)
		for i := range 1000 {
			line(fmt.Sprint("kind ", i), 1)
		}
		synctest.Wait()
		if n := strings.Count(out.Take(), "\n"); n != 65 {
			t.Errorf("%d lines of 1000 kinds, want 65", n)
		}
		r.Close()
		want("at the end", `"kind":"other","count":935`)
		line("a", 1)
		want("after the end", `"a 0"`)
	})
}
