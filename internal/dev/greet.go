package dev

import (
	"fmt"
	"net/url"
)

// greet tells a person what listens where and what to try.
func (d *Dev) greet(l *loader) error {
	data := d.options.DataDir
	if d.temporary != "" {
		data += " (removed at the end)"
	}
	_, err := fmt.Fprintf(d.options.Out, `flagside dev follows %s: %s

  evaluations (OFREP)   http://%s
  sidecar management    http://%s/status
  publisher API         http://%s/api/v1/environments/%s/flags
  NATS                  %s
  change log            %s

Try:

  curl -d '{"context":{"targetingKey":"u1"}}' http://%[3]s/ofrep/v1/evaluate/flags%[9]s
  curl -d '{"context":{"targetingKey":"u1"}}' http://%[3]s/ofrep/v1/evaluate/flags

`,
		d.options.File, d.found(l), d.OFREPAddr(), d.ManagementAddr(), d.AdminAddr(), d.options.Environment,
		d.publisher.NATSURL(), data, oneFlag(l.flags))
	if err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	return nil
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
