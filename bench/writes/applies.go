package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/flagside/flagside/examples/flagset"
	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/process"
)

const (
	// inFile is how many flags a file has.
	inFile = 100
	// large is how many flags are applied in every way.
	large = 10_000
	// changedInLarge is how many flags of those differ, where some do.
	changedInLarge = large / 100
)

// curve are the numbers of flags by which the cost of a flag is compared: it is the same if nothing is quadratic.
func curve() []int { return []int{1000, 5000, large, 2 * large} }

// applied measures how long files with many flags take from the start of flagside apply to its end, in a new environment each.
func applied(ctx context.Context, b process.Binaries, dir string, o options) ([]figures.Figure, error) {
	addresses, err := process.FreeAddresses(4)
	if err != nil {
		return nil, err
	}
	p, err := b.StartPublisher(ctx, filepath.Join(dir, "applied"), addresses[0], addresses[1])
	if p != nil {
		defer p.Kill()
	}
	if err != nil {
		return nil, err
	}
	a := &applies{b: b, publisher: p, dir: dir, sidecarAt: addresses[2:]}
	if err := a.measureCurve(ctx); err != nil {
		return nil, err
	}
	for range o.applies {
		if err := a.measureLarge(ctx); err != nil {
			return nil, err
		}
	}
	return append(a.figures, a.medians()...), nil
}

// applies measures one apply after the other.
type applies struct {
	b         process.Binaries
	publisher *process.Publisher
	dir       string
	sidecarAt []string

	environments int
	figures      []figures.Figure
	took, used   map[string]figures.Durations // of 10,000 flags, by what was done
	peak         int64                        // of a sidecar that follows meanwhile
}

// once applies files to an environment, and returns how long that took, and the processor time of the command and of the publisher.
func (a *applies) once(ctx context.Context, environment, files string, more ...string) (took, used time.Duration, err error) {
	before, err := a.publisher.CPU()
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	command, err := a.publisher.Run(ctx, a.b, append([]string{"apply", "--file", files, "--environment", environment, "--source", "bench"}, more...)...)
	if err != nil {
		return 0, 0, err
	}
	took = time.Since(begin)
	after, err := a.publisher.CPU()
	return took, after - before + command.Used(), err
}

// next makes another environment.
func (a *applies) next(ctx context.Context) (string, error) {
	a.environments++
	name := "applied-" + strconv.Itoa(a.environments)
	return name, a.b.CreateEnvironment(ctx, a.publisher.Admin, name)
}

// measureCurve applies more and more flags.
func (a *applies) measureCurve(ctx context.Context) error {
	for _, flags := range curve() {
		environment, err := a.next(ctx)
		if err != nil {
			return err
		}
		files, err := a.files(flags, 0)
		if err != nil {
			return err
		}
		took, used, err := a.once(ctx, environment, files)
		if err != nil {
			return err
		}
		each := float64(used) / float64(time.Microsecond) / float64(flags)
		fmt.Printf("apply     %d new flags: %d ms; %d ms of processor time, which is %.0f us a flag\n", flags, took.Milliseconds(), used.Milliseconds(), each)
		a.figures = append(a.figures, figures.Figure{Name: fmt.Sprintf("apply%dk_flag_us", flags/1000), Value: each})
	}
	return nil
}

// measureLarge applies 10,000 flags, the same again, the same with 1 % changed, and again to an environment that a sidecar follows.
func (a *applies) measureLarge(ctx context.Context) error {
	environment, err := a.next(ctx)
	if err != nil {
		return err
	}
	same, err := a.files(large, 0)
	if err != nil {
		return err
	}
	changed, err := a.files(large, changedInLarge)
	if err != nil {
		return err
	}
	for _, step := range []struct{ name, files string }{{"", same}, {"_unchanged", same}, {"_changed", changed}} {
		took, used, err := a.once(ctx, environment, step.files)
		if err != nil {
			return err
		}
		a.note(step.name, took, used)
	}
	return a.followed(ctx, same)
}

// followed applies to an environment that a sidecar follows, and waits until it serves everything.
func (a *applies) followed(ctx context.Context, files string) error {
	environment, err := a.next(ctx)
	if err != nil {
		return err
	}
	sidecar, err := a.b.StartSidecar(environment, a.publisher.NATS, "", a.sidecarAt[0], a.sidecarAt[1])
	if err != nil {
		return err
	}
	defer sidecar.Kill()
	if err := sidecar.AwaitReady(ctx); err != nil {
		return err
	}
	if _, err := a.publisher.Run(ctx, a.b, "wait", "--environment", environment); err != nil { // until it is certain which sidecars there are
		return err
	}
	took, used, err := a.once(ctx, environment, files, "--wait")
	if err != nil {
		return err
	}
	if err := sidecar.AwaitFlags(ctx, large); err != nil {
		return err
	}
	a.note("_served", took, used)
	peak, err := sidecar.PeakBytes()
	a.peak = max(a.peak, peak)
	return err
}

func (a *applies) note(what string, took, used time.Duration) {
	if a.took == nil {
		a.took, a.used = make(map[string]figures.Durations), make(map[string]figures.Durations)
	}
	a.took[what], a.used[what] = append(a.took[what], took), append(a.used[what], used)
}

// medians says what was found of 10,000 flags.
func (a *applies) medians() (all []figures.Figure) {
	for _, what := range slices.Sorted(maps.Keys(a.took)) {
		took, used := a.took[what].Milliseconds(50), a.used[what].Milliseconds(50)
		fmt.Printf("apply     %d flags%s: %.0f ms, %.0f ms of processor time (medians of %d)\n", large, what, took, used, len(a.took[what]))
		all = append(all, figures.Figure{Name: "apply10k" + what + "_ms", Value: took}, figures.Figure{Name: "apply10k" + what + "_cpu_ms", Value: used})
	}
	peak := float64(a.peak) / megabyte
	fmt.Printf("apply     a sidecar that follows meanwhile has %.0f MB at most\n", peak)
	return append(all, figures.Figure{Name: "apply10k_sidecar_peak_mb", Value: peak})
}

// files writes a directory of files with flags, of which some have another description, and returns its name.
func (a *applies) files(flags, changed int) (string, error) {
	dir := filepath.Join(a.dir, fmt.Sprintf("files-%d-%d", flags, changed))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	var all map[string]map[string]json.RawMessage
	if err := json.Unmarshal(flagset.Generate(flags, 1), &all); err != nil {
		return "", err
	}
	keys := slices.Sorted(maps.Keys(all["flags"]))
	for i, some := range slices.Collect(slices.Chunk(keys, inFile)) {
		file := map[string]map[string]json.RawMessage{"flags": make(map[string]json.RawMessage, len(some))}
		if i == 0 {
			file["$evaluators"] = all["$evaluators"]
		}
		for _, key := range some {
			file["flags"][key] = all["flags"][key]
		}
		if i < changed { // one of this file
			if err := describe(file["flags"], some[0]); err != nil {
				return "", err
			}
		}
		text, err := json.MarshalIndent(file, "", "  ")
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("flags-%03d.json", i)), text, 0o600); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// describe gives a flag another description.
func describe(flags map[string]json.RawMessage, key string) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(flags[key], &members); err != nil {
		return err
	}
	members["description"] = json.RawMessage(`"This one has changed."`)
	text, err := json.Marshal(members)
	flags[key] = text
	return err
}
