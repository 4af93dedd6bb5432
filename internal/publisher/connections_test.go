package publisher_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/publisher"
)

// Connections that do nothing take no descriptor from NATS: those beyond the limit are closed at once, the others with time, and sidecars
// and anyone who has a connection are served meanwhile.
func TestIdleConnectionsDoNotStopAPublisher(t *testing.T) {
	t.Parallel()
	p := start(t, publisher.Options{DataDir: t.TempDir()})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	get := func(path string) string {
		t.Helper()
		response, err := client.Get("http://" + p.AdminAddr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		content, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %v", path, response.StatusCode, err)
		}
		return string(content)
	}
	get("/readyz") // which takes a connection and keeps it
	const most, asked = 256, 400
	closed := make(chan bool, asked)
	var idle []net.Conn
	for range asked {
		c, err := net.Dial("tcp", p.AdminAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		idle = append(idle, c)
	}
	for _, c := range idle {
		go func() {
			_ = c.SetReadDeadline(time.Now().Add(2 * time.Second)) // what fails here fails below
			_, err := c.Read(make([]byte, 1))
			closed <- !errors.Is(err, os.ErrDeadlineExceeded)
		}()
	}
	refused := 0
	for range asked {
		if <-closed {
			refused++
		}
	}
	if want := asked - most + 1; refused < want {
		t.Errorf("%d of %d connections are refused, want %d", refused, asked, want)
	}
	get("/readyz")
	if !strings.Contains(get("/metrics"), fmt.Sprintf("\nflagside_api_connections_refused_total %d\n", refused)) {
		t.Error("the metrics do not count what was refused")
	}
	c, err := net.Dial("tcp", p.NATSURL()[len("nats://"):])
	if err != nil {
		t.Fatalf("NATS accepts no one: %v", err)
	}
	c.Close()
	for _, c := range idle {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) || err == nil {
			t.Fatalf("a connection on which nothing is asked stays: %v", err)
		}
	}
}
