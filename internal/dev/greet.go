package dev

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/flagside/flagside/internal/listen"
)

// greetTimeout is how long the greeting waits for the sidecar.
const greetTimeout = 10 * time.Second

// greet tells a person what listens where and what to try, once trying it works.
func (d *Dev) greet(ctx context.Context, l *loader) error {
	if l.flags != nil {
		d.awaitSidecar(ctx)
	}
	data := d.options.DataDir
	if d.temporary != "" {
		data += " (removed at the end)"
	}
	_, err := fmt.Fprintf(d.options.Out, `flagside dev follows %s: %s

  evaluations (OFREP)   http://%s
  flagd RPC, in-process %s, %s
  sidecar management    http://%s/status
  publisher API         http://%s/api/v1/environments/%s/flags
  token for the API     %s
  console               %s
                        (works once, within an hour; afterwards sign in with the token)
  NATS                  %s
  change log            %s

Try:

  curl %[14]s-d '{"context":{"targetingKey":"u1"}}' 'http://%[3]s/ofrep/v1/evaluate/flags%[13]s'
  curl %[14]s-d '{"context":{"targetingKey":"u1"}}' 'http://%[3]s/ofrep/v1/evaluate/flags'

`,
		d.options.File, d.found(l), d.OFREPAddr(), served(d.sidecar.FlagdAddr()), served(d.sidecar.FlagdSyncAddr()), d.ManagementAddr(), d.AdminAddr(), d.options.Environment,
		d.token, d.publisher.ConsoleLink(d.token), d.publisher.NATSURL(), data, oneFlag(l.flags), d.credential())
	if err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	return nil
}

// credential returns how curl says who asks, empty if no one is asked.
func (d *Dev) credential() string {
	if d.options.Sidecar.OFREPAuthFile == "" {
		return ""
	}
	return `-H "Authorization: Bearer $TOKEN" `
}

// served writes an address, nil if there is none.
func served(addr net.Addr) string {
	if addr == nil {
		return listen.Off
	}
	return addr.String()
}

// found says what is in the file.
func (d *Dev) found(l *loader) string {
	if l.flags == nil {
		return "not good yet, see the log; it is read again when it is saved"
	}
	return fmt.Sprintf("%d flags in environment %s", len(l.flags), d.options.Environment)
}

// oneFlag returns the end of the address of a flag, of any if the file has none.
func oneFlag(keys []string) string {
	if len(keys) == 0 {
		return "/KEY"
	}
	return "/" + url.PathEscape(keys[0])
}

// awaitSidecar waits until the sidecar is ready, but not for ever.
func (d *Dev) awaitSidecar(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, greetTimeout)
	defer cancel()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !d.sidecar.Ready() {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return
		}
	}
}
