package publisher_test

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/sync/writer"
)

// childVariable tells a process of this test program that it is to carry out a task, and may be killed meanwhile.
const childVariable = "FLAGSIDE_TEST_TASK"

// task is what a child does.
type task struct {
	What   string
	File   string `json:",omitempty"`
	Source place  `json:",omitzero"`
	Target place
}

// place is where streams are.
type place struct {
	DataDir, KeysDir, NATS string
	Replicas               int
}

func placeOf(o publisher.Options) place { return place{o.DataDir, o.KeysDir, o.NATS, o.Replicas} }

func (p place) options() publisher.Options {
	return publisher.Options{DataDir: p.DataDir, KeysDir: p.KeysDir, NATS: p.NATS, Replicas: p.Replicas, Logger: zerolog.Nop()}
}

// carryOut is the main function of a child.
func carryOut(text string) error {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	if t.What == "move" {
		_, err := publisher.Move(context.Background(), t.Source.options(), t.Target.options())
		return err
	}
	if t.What == "follow" {
		return followUntilApplied(t.Target.options(), t.File)
	}
	if t.What == "backup" {
		if exists(t.File) { // the one before was killed when everything was done
			return nil
		}
		_, err := publisher.BackupFile(context.Background(), t.Source.options(), t.File, true)
		return err
	}
	file, err := os.Open(t.File)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = publisher.RestoreBackup(context.Background(), t.Target.options(), file, publisher.Restoring{Order: writer.Order{Actor: "operator"}})
	return err
}

// killUntilDone kills children that carry out a task, each some time later than the one before, until one is done. left looks at what those leave.
func killUntilDone(t testing.TB, k task, left func()) {
	t.Helper()
	step := 40
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		step = 5
	}
	for killed := 0; !k.killedAfter(t, time.Duration(30+step*killed+rand.IntN(step))*time.Millisecond); killed++ {
		left()
	}
}

// killedAfter starts a child, kills it after some time, and reports whether it had carried out the task by then.
func (k task) killedAfter(t testing.TB, d time.Duration) (done bool) {
	t.Helper()
	text, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVariable+"="+string(text))
	out := &strings.Builder{}
	child.Stdout, child.Stderr = out, out
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(d, func() { _ = child.Process.Kill() })
	defer timer.Stop()
	err = child.Wait()
	if err == nil {
		return true
	}
	if strings.Contains(out.String(), publisher.ErrNotEmpty.Error()) { // it was killed when everything was done
		return true
	}
	if child.ProcessState.Exited() { // by itself
		t.Fatalf("%v: %s", err, out)
	}
	return false
}
