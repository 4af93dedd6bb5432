package publisher

import (
	"os"
	"os/exec"
	"testing"
)

// A process that is being started holds a copy of every descriptor for a moment. A data directory that is left then is free all the same.
func TestDataDirIsFreeBesideAChild(t *testing.T) {
	t.Parallel()
	o := Options{DataDir: t.TempDir()}
	lock, err := o.lockDataDir()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), "sleep", "60")
	child.ExtraFiles = []*os.File{lock.file}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	})
	if _, err := o.lockDataDir(); err == nil {
		t.Error("the data directory is taken twice")
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := o.lockDataDir()
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
