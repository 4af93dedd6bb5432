package sidecar_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/sidecar"
	"github.com/flagside/flagside/internal/waiting"
)

// Ports of applications stop taking connections together, however long a request takes that one of them is still reading.
func TestPortsDrainTogether(t *testing.T) {
	s := start(t, sidecar.Options{
		Environment: environment, NATS: nowhere, OFREPAddr: "127.0.0.1:0", ManagementAddr: "127.0.0.1:0",
		FlagdAddr: "127.0.0.1:0", FlagdSyncAddr: "127.0.0.1:0",
	})
	ports := map[string]net.Addr{
		"/ofrep/v1/evaluate/flags":                     s.OFREPAddr(),
		"/flagd.evaluation.v2.Service/ResolveBoolean":  s.FlagdAddr(),
		"/flagd.sync.v1.FlagSyncService/FetchAllFlags": s.FlagdSyncAddr(),
	}
	var slow []net.Conn
	for path, addr := range ports {
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, c)
	}
	// One more connection after the first, which is answered, shows that the first was accepted.
	for path, addr := range ports {
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(c); err != nil || len(answer) == 0 {
			t.Fatalf("%s: %d bytes, %v", path, len(answer), err)
		}
		c.Close()
	}
	stopped := make(chan struct{})
	began := time.Now()
	go func() { s.stop(); close(stopped) }()
	for path, addr := range ports {
		waiting.Until(t, "the end of the port of "+path, func() bool {
			c, err := net.DialTimeout("tcp", addr.String(), time.Second)
			if err == nil {
				c.Close()
			}
			return err != nil
		})
	}
	select {
	case <-stopped:
		t.Errorf("after %v no caller waits for requests that are being read", time.Since(began))
	default:
	}
	for _, c := range slow {
		c.Close()
	}
	<-stopped
}
