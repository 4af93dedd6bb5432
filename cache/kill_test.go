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

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
)

// The process that TestKill ends finds its directory and its keys in these variables.
const (
	killEnvironment      = "FLAGSIDE_TEST_KILL_DIR"
	killTrustEnvironment = "FLAGSIDE_TEST_KILL_TRUST"
	killKeyEnvironment   = "FLAGSIDE_TEST_KILL_KEY"
)

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
	process.Env = append(os.Environ(), killEnvironment+"="+dir,
		killTrustEnvironment+"="+trusttest.Default().RootPublic, killKeyEnvironment+"="+trusttest.Default().Signing)
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
	trust, err := changelog.ParseTrust([]byte(os.Getenv(killTrustEnvironment)))
	if err != nil {
		return err
	}
	signer, err := changelog.NewSigner(os.Getenv(killKeyEnvironment))
	if err != nil {
		return err
	}
	s, err := New(Options{Environment: "prod", Dir: dir, Keyring: changelog.NewKeyring(trust), Logger: zerolog.Nop()})
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
		tx, err := next(signer, s.View(), doc)
		if err == nil {
			err = s.Apply([]changelog.Transaction{tx})
		}
		if err != nil {
			return err
		}
		if _, err := fmt.Println(s.View().Position().Revision); err != nil {
			return err
		}
	}
}

// next returns a signed transaction that puts one document after what a View shows.
func next(signer *changelog.Signer, v *View, doc document.Document) (changelog.Transaction, error) {
	r := unproved(v.Position(), doc)[0]
	edit := v.State().Edit()
	if before, existed := v.Document(doc.ID()); existed {
		edit.Remove(before)
	}
	edit.Add(r.Document())
	r.State = edit.State().Digest()
	head, err := signer.SignHead("prod", r.Head())
	r.Signature = head.Signature
	return changelog.Transaction{r}, err
}

func following(tb testing.TB, signer *changelog.Signer, v *View, doc document.Document) changelog.Transaction {
	tb.Helper()
	tx, err := next(signer, v, doc)
	if err != nil {
		tb.Fatal(err)
	}
	return tx
}

// unproved returns a transaction that puts one document after a position, without a proof.
func unproved(at changelog.Position, doc document.Document) changelog.Transaction {
	r := changelog.Record{Digest: changelog.Sum(doc.Body)}
	r.Revision, r.Epoch, r.Kind, r.Key, r.Put = at.Revision+1, at.Epoch, doc.Kind, doc.Key, doc.Body
	return changelog.Transaction{r}
}
