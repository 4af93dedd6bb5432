package admin

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/fleet"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/status"
)

const (
	fleetPath = "/api/v1/environments/{environment}/fleet"
	// lastRevision stands for the newest revision.
	lastRevision = "last"
	// maxStragglers is how many sidecars an answer names.
	maxStragglers = 100
	// convergenceSpacing is how often a fleet is looked at while an answer waits for it.
	convergenceSpacing = 5 * time.Millisecond
)

// errRevisionUnknown means that a revision is not in the log, or not yet.
var errRevisionUnknown = errors.New("the environment does not have this revision")

type listFleet struct {
	EnvironmentPath
	api.FleetQuery
}

type readConvergence struct {
	EnvironmentPath
	api.ConvergenceQuery

	Revision string `path:"revision" maxLength:"64" doc:"A revision, <epoch8>-<revision>, or last for the newest."`
}

func (s *server) registerFleet(h huma.API) {
	list := reading(operation(http.MethodGet, fleetPath, "listFleet", "List the sidecars of an environment by their own reports, and what each of them serves", fleetTag))
	huma.Register(h, list, func(ctx context.Context, in *listFleet) (*content[api.Fleet], error) {
		table, err := s.options.Environments.Fleet(ctx, in.Environment)
		if err != nil {
			return nil, s.problem(err)
		}
		after, err := base64.RawURLEncoding.DecodeString(in.After)
		if err != nil {
			return nil, newProblem(http.StatusUnprocessableEntity, api.ProblemInvalidRequest, "after must be next of an earlier answer.")
		}
		return &content[api.Fleet]{Body: newFleet(table.Fleet(time.Now()), in.FleetQuery, string(after))}, nil
	})
	read := reading(operation(http.MethodGet, fleetPath+"/revisions/{revision}", "readConvergence",
		"Tell how many sidecars serve a revision, which ones do not, and how long it took; or wait for it", fleetTag))
	huma.Register(h, read, func(ctx context.Context, in *readConvergence) (*content[api.Convergence], error) {
		body, err := s.convergence(ctx, in)
		if err != nil {
			return nil, err
		}
		return &content[api.Convergence]{Body: body}, nil
	})
}

// convergence waits for a revision to be served, as long as it may.
func (s *server) convergence(ctx context.Context, in *readConvergence) (api.Convergence, error) {
	table, err := s.options.Environments.Fleet(ctx, in.Environment)
	if err != nil {
		return api.Convergence{}, s.problem(err)
	}
	position, err := s.positionOf(ctx, in)
	if err != nil {
		return api.Convergence{}, err
	}
	waiting := time.NewTimer(time.Duration(in.WaitMs) * time.Millisecond)
	defer waiting.Stop()
	for {
		changed := table.Changed()
		began := time.Now()
		found := table.Convergence(position, began)
		took := time.Since(began)
		answer := newConvergence(found, in.Percent)
		if answer.Converged || in.WaitMs == 0 || found.Complete && found.Of == 0 {
			return answer, nil
		}
		var completed <-chan time.Time
		if !found.Complete && found.CompleteIn > 0 {
			completed = time.After(found.CompleteIn)
		}
		select {
		case <-changed:
			// Others acknowledge at the same moment; and to look at a large fleet takes a tenth of a processor at most.
			time.Sleep(max(convergenceSpacing, 9*took))
		case <-completed:
		case <-waiting.C:
			return newConvergence(table.Convergence(position, time.Now()), in.Percent), nil
		case <-ctx.Done():
			return api.Convergence{}, s.problem(ctx.Err())
		}
	}
}

// positionOf returns the position that a path names, after a barrier: a revision that another publisher has just written is known then.
func (s *server) positionOf(ctx context.Context, in *readConvergence) (changelog.Position, error) {
	service, err := s.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return changelog.Position{}, s.problem(err)
	}
	within, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	state, err := service.Current(within)
	if err != nil {
		return changelog.Position{}, s.problem(err)
	}
	head := state.Position()
	if in.Revision == lastRevision {
		return head, nil
	}
	token, err := changelog.ParseToken(in.Revision)
	switch {
	case err != nil:
		return changelog.Position{}, newProblem(http.StatusUnprocessableEntity, api.ProblemInvalidRequest, "revision must be a revision, <epoch8>-<revision>, or last.")
	case !token.In(head.Epoch):
		return changelog.Position{}, newProblem(http.StatusPreconditionFailed, api.ProblemPreconditionFailed,
			fmt.Sprintf("The revision %s belongs to another history than the environment, which is at %s.", token, head.Token()))
	case token.Revision > head.Revision || token.Revision == 0:
		return changelog.Position{}, s.problem(fmt.Errorf("%w: the newest is %s", errRevisionUnknown, head.Token()))
	}
	return changelog.Position{Epoch: head.Epoch, Revision: token.Revision}, nil
}

func newFleet(f fleet.Fleet, q api.FleetQuery, after string) api.Fleet {
	out := api.Fleet{Revision: revisionText(f.Head), Items: []api.Sidecar{}, Gone: []api.GoneOne{}, Summary: newFleetSummary(f)}
	for _, one := range f.Sidecars {
		switch {
		case !wantsSidecar(q, one), after != "" && placeOf(one.Report) <= after:
		case len(out.Items) == q.Limit:
			last := out.Items[q.Limit-1]
			out.Next = base64.RawURLEncoding.EncodeToString([]byte(placeText(last.Namespace, cmp.Or(last.Pod, last.Host), last.Boot)))
			return withGone(out, f.Gone)
		default:
			out.Items = append(out.Items, newSidecar(one))
		}
	}
	return withGone(out, f.Gone)
}

// withGone adds the sidecars that went.
func withGone(out api.Fleet, gone []fleet.Gone) api.Fleet {
	for _, g := range gone {
		out.Gone = append(out.Gone, newGone(g))
	}
	return out
}

func newGone(g fleet.Gone) api.GoneOne {
	return api.GoneOne{
		Boot: g.Boot, Name: cmp.Or(fleet.Name(g.Identity), g.Boot), Namespace: g.Identity.Namespace, Revision: revisionText(g.Position),
		HeardAt: g.Heard.UTC(), At: g.At.UTC(), Why: string(g.Why),
	}
}

// placeOf returns the place of a sidecar in the order of lists.
func placeOf(r status.Report) string {
	return placeText(r.Identity.Namespace, fleet.Name(r.Identity), r.Boot)
}

// placeText joins what lists are ordered by, with what sorts before every other character.
func placeText(namespace, name, boot string) string { return namespace + "\x00" + name + "\x00" + boot }

func wantsSidecar(q api.FleetQuery, s fleet.Sidecar) bool {
	who := s.Report.Identity
	for wanted, is := range map[*string]string{
		&q.Standing: string(s.Standing), &q.Application: who.Application, &q.Namespace: who.Namespace, &q.Node: who.Node, &q.Zone: who.Zone, &q.Version: who.Program,
	} {
		if *wanted != "" && *wanted != is {
			return false
		}
	}
	switch {
	case q.Behind && s.Standing == fleet.Current:
	case q.Condition != "" && !slices.Contains(s.Report.Conditions, q.Condition):
	case q.Text != "" && !strings.Contains(strings.ToLower(fleet.Name(who)), strings.ToLower(q.Text)):
	default:
		return true
	}
	return false
}

func newFleetSummary(f fleet.Fleet) api.FleetSummary {
	s := api.FleetSummary{
		Sidecars: len(f.Sidecars), Standings: make(map[string]int), Versions: make(map[string]int), Serving: make(map[string]int),
		Complete: f.Complete, CompleteInMs: f.CompleteIn.Milliseconds(),
	}
	for _, one := range f.Sidecars {
		s.Standings[string(one.Standing)]++
		s.Versions[one.Report.Identity.Program]++
		s.Serving[one.Report.Serving]++
	}
	return s
}

func newSidecar(s fleet.Sidecar) api.Sidecar {
	r, who := s.Report, s.Report.Identity
	out := api.Sidecar{
		Boot: r.Boot, Name: cmp.Or(fleet.Name(who), r.Boot), Pod: who.Pod, Namespace: who.Namespace, Node: who.Node, Zone: who.Zone, Host: who.Host,
		Application: who.Application, ApplicationVersion: who.ApplicationVersion, Labels: who.Labels, Version: who.Program,
		Standing: string(s.Standing), Serving: r.Serving, Revision: revisionText(r.Position), AgeMs: r.AgeMs,
		Conditions: append([]string{}, r.Conditions...), Clients: r.Clients, Flags: r.Flags, Refused: r.Refused, RefusedKeys: r.RefusedKeys,
		UpSeconds: r.UpMs / 1000, ReportedMsAgo: s.Last.Milliseconds(),
	}
	if !r.State.IsZero() {
		out.StateDigest = r.State.String()
	}
	if out.Clients == nil {
		out.Clients = make(map[string]int)
	}
	return out
}

// revisionText returns a position as it leaves the process, empty for none.
func revisionText(p changelog.Position) string {
	if p.IsZero() {
		return ""
	}
	return p.Token().String()
}

func newConvergence(c fleet.Convergence, percent float64) api.Convergence {
	out := api.Convergence{
		Revision: revisionText(c.Position), Served: c.Served, Of: c.Of, Converged: c.Converged(percent), Complete: c.Complete, CompleteInMs: c.CompleteIn.Milliseconds(),
		Stragglers: []api.Straggler{}, Lost: []api.GoneOne{}, Evaluating: c.Evaluating, ServedIn: newServedIn(c.Serving),
	}
	for _, g := range c.Lost {
		out.Lost = append(out.Lost, newGone(g))
	}
	for _, late := range c.Stragglers[:min(len(c.Stragglers), maxStragglers)] {
		r := late.Sidecar.Report
		out.Stragglers = append(out.Stragglers, api.Straggler{
			Boot: r.Boot, Name: cmp.Or(fleet.Name(r.Identity), r.Boot), Namespace: r.Identity.Namespace, Why: string(late.Why), Revision: revisionText(r.Position),
			ReportedMsAgo: late.Sidecar.Last.Milliseconds(),
		})
	}
	out.More = len(c.Stragglers) - len(out.Stragglers)
	return out
}

// newServedIn returns how long a change took; nil if that is not known.
func newServedIn(s fleet.Serving) *api.ServedIn {
	if s.Position.IsZero() {
		return nil
	}
	out := &api.ServedIn{Served: s.Served, Of: s.Of, Sidecars: s.Sidecars, Acks: s.Acks, MedianMs: milliseconds(s.Median), P90Ms: milliseconds(s.P90), P99Ms: milliseconds(s.P99)}
	if s.Everywhere {
		out.AllMs = new(milliseconds(s.After))
	}
	return out
}

// milliseconds returns a duration to the hundredth.
func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

// servedIn returns how the change with a revision came to be served; nil if that is not known.
func (s *server) servedIn(ctx context.Context, environment, revision string) *api.ServedIn {
	token, err := changelog.ParseToken(revision)
	if err != nil {
		return nil
	}
	table, err := s.options.Environments.Fleet(ctx, environment)
	if err != nil {
		return nil // what is asked for has more to say about it
	}
	serving, known := table.Serving(token)
	if !known {
		return nil
	}
	return newServedIn(serving)
}
