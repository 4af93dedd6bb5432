package cache

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/sync/changelog"
)

// killEnvironment holds the directory of the process that TestKill ends.
const killEnvironment = "FLAGSIDE_TEST_KILL_DIR"

// TestMain is also the process that [TestKill] starts.
func TestMain(m *testing.M) {
	if dir := os.Getenv(killEnvironment); dir != "" {
		if err := writeUntilKilled(dir); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// After kill -9 at any moment, the next process shows at least the last state
// that the one before has shown.
func TestKill(t *testing.T) {
	rounds := 5
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		rounds = 200
	}
	dir := t.TempDir()
	s, _ := liveStore(t, dir)
	_ = s.Close()
	for round := range rounds {
		shown := killedAfter(t, dir, time.Duration(round%7)*15*time.Millisecond)
		s := restoreStore(t, dir)
		if problems := s.Problems(); len(problems) > 0 {
			t.Fatalf("round %d: %v", round, problems)
		}
		if got := s.View().Position().Revision; got < shown {
			t.Fatalf("round %d: revision %d was restored, %d was shown", round, got, shown)
		}
		_ = s.Close()
	}
}

// killedAfter starts the process, kills it, and returns the last revision that
// it has shown.
func killedAfter(t *testing.T, dir string, wait time.Duration) (shown uint64) {
	t.Helper()
	process := exec.CommandContext(t.Context(), os.Args[0])
	process.Env = append(os.Environ(), killEnvironment+"="+dir)
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "error:") {
			t.Fatal(line)
		}
		if shown == 0 {
			time.AfterFunc(wait, func() { _ = process.Process.Kill() })
		}
		if n, err := strconv.ParseUint(line, 10, 64); err == nil {
			shown = n
		}
	}
	_ = process.Wait() // it was killed
	if shown == 0 {
		t.Fatal("the process has shown nothing")
	}
	return shown
}

// writeUntilKilled goes on from the state in dir, rewriting the snapshot all
// the time, and prints every revision that is shown.
func writeUntilKilled(dir string) error {
	s, err := New(Options{Environment: "prod", Dir: dir, Logger: zerolog.Nop()})
	if err != nil {
		return err
	}
	if _, err := s.Restore(); err != nil {
		return err
	}
	go func() {
		for {
			s.rewrite()
		}
	}()
	for n := 0; ; n++ {
		doc := flag("flag-"+strconv.Itoa(n%50), n)
		if err := s.Apply([]changelog.Transaction{following(s.Position(), doc)}); err != nil {
			return err
		}
		if _, err := fmt.Println(s.View().Position().Revision); err != nil {
			return err
		}
	}
}

// following returns a transaction that puts one document after a position.
func following(at changelog.Position, doc changelog.Document) changelog.Transaction {
	r := changelog.Record{Revision: at.Revision + 1, Digest: changelog.Sum(doc.Body)}
	r.Epoch, r.Kind, r.Key, r.Put = at.Epoch, doc.Kind, doc.Key, doc.Body
	return changelog.Transaction{r}
}
