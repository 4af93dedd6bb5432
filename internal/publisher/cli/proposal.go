package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/publisher/admin"
)

// proposal returns what opens a change request, or makes one anew.
func (w *writing) proposal(c change) ([]byte, error) {
	now := time.Now()
	applyAt, err := timeOf(w.applyAt, now)
	if err != nil {
		return nil, err
	}
	expires, err := timeOf(w.expires, now)
	if err != nil {
		return nil, err
	}
	return json.Marshal(admin.NewRequest{
		Command: c.command, ApplyAt: applyAt, LateSeconds: int64((w.late + time.Second - 1) / time.Second), Expires: expires, BreakGlass: w.breakGlass,
	})
}

// preview prints what a change would do.
func (w *writing) preview(ctx context.Context, s *session, c change) error {
	body, err := json.Marshal(struct {
		Command admin.Command `json:"command"`
	}{c.command})
	if err != nil {
		return err
	}
	found, err := s.do(ctx, admin.Call{Method: http.MethodPost, Path: []string{"environments", c.environment, "preview"}, Body: body})
	if err != nil {
		return err
	}
	return s.print(found.Body, func(out io.Writer, value any) error { return previewed(out, found.Body, value) })
}

// open opens a change request, or makes one anew, and applies it at once if it breaks the glass.
func (w *writing) open(ctx context.Context, s *session, c change) error {
	body, err := w.proposal(c)
	if err != nil {
		return err
	}
	path, done := requestPath(c.environment), "is opened"
	if w.rebase != "" {
		path, done = requestPath(c.environment, w.rebase, "rebase"), "is updated to the current state"
	}
	found, err := s.do(ctx, w.on(admin.Call{Method: http.MethodPost, Path: path, Body: body}))
	if err != nil || !w.breakGlass {
		return s.printRequest(found, err, done)
	}
	value, err := decode(found.Body)
	if err != nil {
		return err
	}
	apply := admin.Call{Method: http.MethodPost, Path: requestPath(c.environment, word(value, "id"), "apply")}
	found, err = s.do(ctx, (&remark{reason: w.reason}).on(apply))
	return s.printRequest(found, err, "is applied without approvals: ask another person to run flagside request review "+word(value, "id"))
}

// requestPath returns the path of change requests, or of what is below it.
func requestPath(environment string, below ...string) []string {
	return append([]string{"environments", environment, "requests"}, below...)
}

// previewed prints a preview for people.
func previewed(out io.Writer, body []byte, value any) error {
	some, err := differences(out, body)
	if err == nil && some {
		_, err = fmt.Fprintln(out, strings.Join(stakes(value), "\n")+warnings(value))
	}
	return err
}

// differences prints what a preview would change, and reports whether that is something.
func differences(out io.Writer, body []byte) (some bool, err error) {
	var p struct {
		Differences []struct {
			Kind   string          `json:"kind"`
			Key    string          `json:"key"`
			Before json.RawMessage `json:"before"`
			After  json.RawMessage `json:"after"`
		} `json:"differences"`
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return false, fmt.Errorf("the publisher's answer: %w", err)
	}
	if len(p.Differences) == 0 {
		_, err := fmt.Fprintln(out, "nothing would change")
		return false, err
	}
	for _, d := range p.Differences {
		before, err := pretty(d.Before)
		if err != nil {
			return true, err
		}
		after, err := pretty(d.After)
		if err != nil {
			return true, err
		}
		name := printable(strings.Join(present(d.Kind, d.Key), " "))
		fmt.Fprint(out, difference(side{name: name + " now", text: before}, side{name: name + " then", text: after}))
	}
	return true, nil
}

// pretty returns JSON as indented lines, none if there is none.
func pretty(document json.RawMessage) (string, error) {
	if document == nil {
		return "", nil
	}
	text, err := indented(document)
	return string(text), err
}

// stakes says what a change puts at stake, and who would have to agree.
func stakes(value any) []string {
	lines := risks(value)
	refused := find(value, "refused")
	switch {
	case refused == nil:
		lines = append(lines, "you may do it at once")
	case find(refused, "approvals") != nil:
		lines = append(lines, "approvals needed: "+cell(find(refused, "approvals"))+"; open a change request with --propose")
	default:
		lines = append(lines, "you may not do it: "+word(refused, "detail"))
	}
	return lines
}

// risks says what a change puts at stake.
func risks(value any) []string {
	lines := []string{"risk: not high"}
	if find(value, "risk.high") == true {
		lines[0] = "risk: high"
	}
	reasons, _ := find(value, "risk.reasons").([]any)
	for _, reason := range reasons {
		lines = append(lines, "  "+word(reason, "sentence"))
	}
	return lines
}

// printRequest prints a change request after something was done to it.
func (s *session) printRequest(found admin.Answer, err error, done string) error {
	if err != nil {
		return err
	}
	return s.print(found.Body, func(out io.Writer, value any) error {
		text := fmt.Sprintf("change request %s %s", word(value, "id"), done)
		switch status := word(value, "status"); status {
		case "open":
			text += fmt.Sprintf("; approvals: %s; hash %s", approvals(value), shortHash(value))
		case "applied":
			text += "; revision " + cell(find(value, "applied"))
		case "claimed", "needs_rebase", "failed":
			text += "; it is " + status
		}
		_, err := fmt.Fprintln(out, text+warnings(value))
		return err
	})
}
