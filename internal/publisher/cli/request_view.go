package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
)

func requestGet() commandline.Invocation {
	var id string
	f := newForm("request get", "Prints a change request, and what it would change now. Its hash is what approve takes.").request(&id)
	return f.runs(func(ctx context.Context, s *session) error {
		r, err := s.client.Request(ctx, f.environment, id)
		if err == nil {
			r = s.withImpact(ctx, f.environment, r)
		}
		return s.answer(r, err, func(out io.Writer) error {
			show := details(
				detail{"request", cell(r.ID)}, detail{"status", requestStatus(r)}, detail{"hash", shortHash(r)}, detail{"author", nameCell(r.Names, r.Author)},
				detail{"reason", cell(r.Reason)}, detail{"source", cell(r.Source)}, detail{"opened", timeCell(r.Opened)}, detail{"apply at", timeCell(r.ApplyAt)}, detail{"at most late", lateness(r)},
				detail{"expires", timeCell(r.Expires)}, detail{"break-glass", flagCell(r.BreakGlass)}, detail{"approvals", approvals(r)},
				detail{"approved by", remarks(r.Names, r.Approvals...)}, detail{"comments", remarks(r.Names, r.Comments...)},
				detail{"outcome", outcome(r.Names, r.Outcome)}, detail{"applied", cell(r.Applied)}, detail{"review", outcome(r.Names, r.Review)},
			)
			if err := show(out); err != nil {
				return err
			}
			fmt.Fprintln(out, strings.Join(append(risks(r.Risk), impactLines(r.Impact)...), "\n")+warnings(r.Warnings))
			return s.showChanges(ctx, out, f.environment, r)
		})
	})
}

// lateness says how late a change request may be applied, if that is bounded.
func lateness(r api.ChangeRequest) string {
	if r.LateSeconds == 0 {
		return absent
	}
	return decimal(r.LateSeconds) + " s"
}

// showChanges prints what a change request changes: beside what is there now while it is undecided.
func (s *session) showChanges(ctx context.Context, out io.Writer, environment string, r api.ChangeRequest) error {
	for _, c := range r.Changes {
		proposed, err := pretty(c.Document)
		if err != nil {
			return err
		}
		name := words(c.Kind, c.Key)
		if r.Status != "open" && r.Status != "needs_rebase" {
			fmt.Fprintf(out, "%s as proposed:\n%s", name, proposed)
			continue
		}
		now, err := s.document(ctx, environment, c.Kind, c.Key)
		if err != nil {
			return err
		}
		text := difference(side{name: name + " now", text: now.text}, side{name: name + " as proposed", text: proposed})
		if _, err := io.WriteString(out, text); err != nil {
			return err
		}
	}
	return nil
}

// document reads a document of any kind as it is now: its lines and its revision. There is neither if it does not exist.
func (s *session) document(ctx context.Context, environment, kind, key string) (side, error) {
	body, seen, err := s.client.Document(ctx, environment, document.ID{Kind: document.Kind(kind), Key: key})
	if isAbsent(err) {
		return side{}, nil
	}
	if err != nil {
		return side{}, err
	}
	text, err := pretty(body)
	return side{revision: seen.Revision(), text: text}, err
}
