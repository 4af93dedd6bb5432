package publisher_test

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/publisher"
)

// Another user is told nothing on the socket, even if the mode of the socket lets that user in.
func TestTheSocketAsksWhoCalls(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	r := governed(t, publisher.Options{})
	socket := filepath.Join(r.dataDir, "publisher.sock")
	r.await("the socket", func() bool { return exists(socket) })
	for dir := r.dataDir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	for user, want := range map[int]bool{0: true, 65534: false} {
		line, err := greetingFor(user, socket)
		if told := line != ""; told != want {
			t.Errorf("user %d was told %q, %v", user, line, err)
		}
	}
}

// greetingFor returns what a user is told on a socket.
func greetingFor(user int, socket string) (line string, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // which ends with the goroutine
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), uintptr(user), ^uintptr(0)); errno != 0 {
			err = errno
			return
		}
		var conn net.Conn
		if conn, err = net.Dial("unix", socket); err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		line, err = bufio.NewReader(conn).ReadString('\n')
	}()
	<-done
	return line, err
}
