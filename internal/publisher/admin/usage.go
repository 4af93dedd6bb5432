package admin

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/usage"
	"github.com/flagside/flagside/internal/publisher/usage/folding"
)

// Usage is what the usage of an environment is read from.
type Usage interface {
	// Known returns what was folded.
	Known() *folding.Known
	// Segments gives the segments from one to another of the same resolution that there are, the oldest first.
	Segments(ctx context.Context, from, to usage.ID, each func(usage.ID, *usage.Segment)) error
}

const (
	day       = 24 * time.Hour
	usageWeek = 7 * day
	// maxUsagePoints is how many segments one answer is made of, and maxUsageSeries how many series it has.
	maxUsagePoints = 3_000
	maxUsageSeries = 1_000
)

type readUsage struct {
	EnvironmentPath
	api.UsageQuery
}

type readFlagUsage struct {
	DocumentPath
	api.FlagUsageQuery
}

type listUnknownFlags struct {
	EnvironmentPath
	api.UnknownFlagsQuery
}

func (s *server) registerUsage(h huma.API) {
	const path = "/api/v1/environments/{environment}/usage"
	register := func(path, id, summary string) huma.Operation {
		return reading(operation(http.MethodGet, path, id, summary, flagsTag))
	}
	huma.Register(h, register(path, "readUsage", "Tell when the flags of an environment were used last, how often, and by which applications"),
		func(ctx context.Context, in *readUsage) (*content[api.Usage], error) {
			return answered(s, func() (api.Usage, error) { return s.usage(ctx, in) })
		})
	huma.Register(h, register(path+"/flags/{key}", "readFlagUsage", "Count the evaluations of a flag over a time, by variant, reason, rule, application and revision"),
		func(ctx context.Context, in *readFlagUsage) (*content[api.FlagUsage], error) {
			return answered(s, func() (api.FlagUsage, error) { return s.flagUsage(ctx, in) })
		})
	huma.Register(h, register(path+"/unknown", "listUnknownFlags", "List flags that applications ask for and that do not exist"),
		func(ctx context.Context, in *listUnknownFlags) (*content[api.UnknownFlags], error) {
			return answered(s, func() (api.UnknownFlags, error) { return s.unknownFlags(ctx, in) })
		})
}

// answered returns what is read, or the problem of what went wrong.
func answered[T any](s *server, read func() (T, error)) (*content[T], error) {
	body, err := read()
	if err != nil {
		return nil, s.problem(err)
	}
	return &content[T]{Body: body}, nil
}

// stateOfUsage returns what the counts of an environment say; from is nil if none are kept.
func (s *server) stateOfUsage(ctx context.Context, environment string) (from Usage, k *folding.Known, state api.UsageState, err error) {
	from, err = s.options.Environments.Usage(ctx, environment)
	if err != nil || from == nil {
		return nil, &folding.Known{}, api.UsageState{}, err
	}
	k = from.Known()
	if !k.Read {
		return nil, nil, api.UsageState{}, folding.ErrNotRead
	}
	state = api.UsageState{
		Kept: true, Since: k.Place.Since, FoldedUntil: k.FoldedUntil, Waiting: k.Waiting, Lost: k.Place.Lost.Evaluations, Missed: k.Place.Missed + k.Place.Malformed,
		Unchanged: k.Place.UnchangedAt,
	}
	for _, application := range slices.Sorted(maps.Keys(k.ClientsSeen)) {
		state.Clients = append(state.Clients, api.UsageClients{
			Application: application, Clients: k.Clients[application], Last: k.ClientsSeen[application],
		})
	}
	return from, k, state, nil
}

func (s *server) usage(ctx context.Context, in *readUsage) (out api.Usage, err error) {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	from, k, state, err := s.stateOfUsage(ctx, in.Environment)
	if err != nil {
		return out, err
	}
	now := time.Now()
	out = api.Usage{UsageState: state, Flags: []api.FlagInUse{}}
	flags := make(map[string]*api.FlagInUse)
	flag := func(key string) *api.FlagInUse {
		if flags[key] == nil {
			flags[key] = &api.FlagInUse{Key: key}
		}
		return flags[key]
	}
	for key, uses := range k.Uses {
		f := flag(key)
		for _, u := range uses {
			f.Last, f.LastBulk = later(f.Last, u.Asked), later(f.LastBulk, u.Bulk)
			if u.Application != "" && u.Asked.After(now.Add(-usageWeek)) {
				f.Applications = append(f.Applications, u.Application)
			}
		}
		slices.Sort(f.Applications)
		f.Applications = slices.Compact(f.Applications)
	}
	if !in.LastOnly && from != nil {
		hour, today := usage.Hour.At(now), usage.Day.At(now)
		firstHour, firstDay := usage.Hour.At(now.Add(-day)), usage.Day.At(now.Add(-usageWeek))
		out.DayFrom, out.WeekFrom = firstHour.Time(), firstDay.Time()
		err = cmp.Or(
			from.Segments(ctx, firstHour, hour, func(id usage.ID, s *usage.Segment) {
				i, hours := hoursBetween(firstHour, id), hoursBetween(firstHour, hour)+1
				each(s, func(key string, n uint64) { addHour(flag(key), n, i, hours, in.Hourly) })
			}),
			from.Segments(ctx, firstDay, today, func(_ usage.ID, s *usage.Segment) { each(s, func(key string, n uint64) { flag(key).Week += n }) }),
		)
	}
	for _, key := range slices.Sorted(maps.Keys(flags)) {
		out.Flags = append(out.Flags, *flags[key])
	}
	return out, err
}

func hoursBetween(a, b usage.ID) int { return int(b.Time().Sub(a.Time()) / time.Hour) }

// addHour adds evaluations of one hour of the last day, and to that hour if each is wanted.
func addHour(f *api.FlagInUse, n uint64, hour, hours int, hourly bool) {
	f.Day += n
	if !hourly {
		return
	}
	if f.Hours == nil {
		f.Hours = make([]uint64, hours)
	}
	f.Hours[hour] += n
}

// each gives the evaluations of each flag of a segment, in any order.
func each(s *usage.Segment, found func(key string, n uint64)) {
	for series, n := range s.Series {
		if series.Flag != "" {
			found(series.Flag, n)
		}
	}
}

// lastUse returns what tells when flags were asked for last, and whether all is known since a time; nil if nothing is.
func (s *server) lastUse(ctx context.Context, environment string, since time.Time) (func(key string) (time.Time, bool), error) {
	from, err := s.options.Environments.Usage(ctx, environment)
	if err != nil || from == nil {
		return nil, err
	}
	k := from.Known()
	complete := k.CompleteSince(since)
	return func(key string) (last time.Time, known bool) {
		var bulk time.Time
		for _, u := range k.Uses[key] {
			last, bulk = later(last, u.Asked), later(bulk, u.Bulk)
		}
		return last, complete && !bulk.After(since) // who asks for all flags may look at this one
	}, nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (s *server) flagUsage(ctx context.Context, in *readFlagUsage) (out api.FlagUsage, err error) {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	from, k, state, err := s.stateOfUsage(ctx, in.Environment)
	if err != nil {
		return out, err
	}
	step := usage.Resolution(in.Step)
	to := in.To
	if to.IsZero() {
		to = time.Now()
	}
	begin := in.From
	if begin.IsZero() {
		begin = to.Add(-day)
	}
	first, last := step.At(begin), step.At(to)
	if points := to.Sub(begin) / step.Length(); begin.After(to) || points >= maxUsagePoints {
		return out, badRequest(fmt.Sprintf("from is before to, with fewer than %d points between: choose a longer step or less time.", maxUsagePoints))
	}
	out = api.FlagUsage{
		UsageState: state, Key: in.Key, Step: in.Step, From: first.Time(), To: last.Next().Time(),
		Points: []api.UsagePoint{}, Series: []api.UsageCount{}, Uses: []api.UsageLast{},
	}
	for _, u := range k.Uses[in.Key] {
		out.Uses = append(out.Uses, api.UsageLast{Variant: u.Variant, Application: u.Application, Last: u.Asked, LastBulk: u.Bulk})
	}
	slices.SortFunc(out.Uses, func(a, b api.UsageLast) int {
		return cmp.Or(cmp.Compare(a.Variant, b.Variant), cmp.Compare(a.Application, b.Application))
	})
	if from == nil {
		return out, nil
	}
	sums := make(map[usage.Series]uint64)
	err = from.Segments(ctx, first, last, func(id usage.ID, s *usage.Segment) {
		point := api.UsagePoint{At: id.Time(), Variants: make(map[string]uint64)}
		for series, n := range s.Series {
			if series.Flag == in.Key {
				point.Evaluations += n
				point.Variants[series.Variant] += n
				sums[series] += n
			}
		}
		out.Untold += s.Series[usage.Series{}]
		if point.Evaluations > 0 {
			out.Points = append(out.Points, point)
		}
	})
	out.Series = largest(sums)
	return out, err
}

// largest returns counts, the largest first.
func largest(sums map[usage.Series]uint64) []api.UsageCount {
	order := slices.SortedFunc(maps.Keys(sums), func(a, b usage.Series) int {
		return cmp.Or(cmp.Compare(sums[b], sums[a]), usage.CompareSeries(a, b))
	})
	all := []api.UsageCount{}
	for _, one := range order[:min(len(order), maxUsageSeries)] {
		all = append(all, api.UsageCount{
			Variant: one.Variant, Reason: one.Reason, ErrorCode: one.Code, Rule: one.Rule, Application: one.Application, Release: one.Release,
			Revision: one.Revision, Bulk: one.Bulk, Evaluations: sums[one],
		})
	}
	return all
}

func (s *server) unknownFlags(ctx context.Context, in *listUnknownFlags) (out api.UnknownFlags, err error) {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	from, _, state, err := s.stateOfUsage(ctx, in.Environment)
	if err != nil {
		return out, err
	}
	service, err := s.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return out, err
	}
	flags, err := service.Current(ctx)
	if err != nil {
		return out, err
	}
	today := usage.Day.At(time.Now())
	first := usage.Day.At(today.Time().Add(-time.Duration(in.Days-1) * day))
	out = api.UnknownFlags{UsageState: state, From: first.Time(), Items: []api.UnknownFlag{}}
	if from == nil {
		return out, nil
	}
	found := make(map[usage.NotFound]*api.UnknownFlag)
	err = from.Segments(ctx, first, today, func(id usage.ID, s *usage.Segment) {
		out.Others += s.NotFoundOthers
		for missing, n := range s.NotFound {
			if _, exists := flags.Document(document.ID{Kind: document.KindFlag, Key: missing.Key}); exists {
				continue
			}
			if found[missing] == nil {
				found[missing] = &api.UnknownFlag{Key: missing.Key, Application: missing.Application}
			}
			found[missing].Requests += n
			found[missing].LastDay = id.Time()
		}
	})
	for _, one := range found {
		out.Items = append(out.Items, *one)
	}
	slices.SortFunc(out.Items, func(a, b api.UnknownFlag) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Application, b.Application))
	})
	return out, err
}
