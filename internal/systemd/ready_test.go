package systemd

import (
	"net"
	"path/filepath"
	"testing"
)

func TestReady(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if err := Ready(func(string) (string, bool) { return name, true }); err != nil {
		t.Fatal(err)
	}
	told := make([]byte, 64)
	n, err := socket.Read(told)
	if err != nil || string(told[:n]) != "READY=1" {
		t.Errorf("the service manager was told %q: %v", told[:n], err)
	}
}

func TestReadyWithoutServiceManager(t *testing.T) {
	t.Parallel()
	if err := Ready(func(string) (string, bool) { return "", false }); err != nil {
		t.Error(err)
	}
	if err := Ready(func(string) (string, bool) { return filepath.Join(t.TempDir(), "none"), true }); err == nil {
		t.Error("a socket that is not there was told")
	}
}
