//go:build linux

package main

import (
	"bytes"
	"context"
	_ "embed" // guard.json
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/flagside/flagside/bench/cores"
	"github.com/flagside/flagside/bench/measure"
)

//go:embed guard.json
var committedCosts []byte

// guardFile is where they come from, as seen from the root of the module.
const guardFile = "bench/http/guard.json"

// costs are what answers cost, as multiples of what those of the limit do. They depend little on the machine, and times do.
type costs struct {
	Static float64 `json:"cpu_ratio"`
	Mixed  float64 `json:"cpu_ratio_mixed"`
}

// tolerance is by how much costs may be more than they were: what is beyond it is no accident of the machine.
const tolerance = 1.5

// guard fails if answers cost much more than they did, compared with the limit.
func guard(ctx context.Context, site measure.Site, update bool) error {
	var committed costs
	decoder := json.NewDecoder(bytes.NewReader(committedCosts))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&committed); err != nil {
		return fmt.Errorf("%s: %w", guardFile, err)
	}
	found, err := measureCosts(ctx, site)
	if errors.Is(err, cores.ErrOne) {
		fmt.Println("not measured:", err) // on one core, what asks changes what an answer costs
		return nil
	}
	if err != nil {
		return err
	}
	if update {
		return os.WriteFile(guardFile, fmt.Appendf(nil, "{\"cpu_ratio\": %.2f, \"cpu_ratio_mixed\": %.2f}\n", found.Static, found.Mixed), 0o644)
	}
	return errors.Join(
		judge("one static flag", found.Static, committed.Static),
		judge("1,000 flags in turn", found.Mixed, committed.Mixed),
	)
}

// judge compares one cost with what was committed.
func judge(what string, found, committed float64) error {
	fmt.Printf("%s: an answer costs %.2f times the limit's, %.2f were committed, and %.2f are too many\n", what, found, committed, committed*tolerance)
	if !(found > 0 && committed > 0) {
		return fmt.Errorf("%s: costs must be more than 0", what)
	}
	if found > committed*tolerance {
		return fmt.Errorf("%s: an answer costs %.2f times the limit's, and %.2f in %s: find what has become slow; if it was meant, run go run ./bench/http --guard --update",
			what, found, committed, guardFile)
	}
	return nil
}

// measureCosts measures briefly.
func measureCosts(ctx context.Context, site measure.Site) (costs, error) {
	all, err := readScenarios("")
	if err != nil {
		return costs{}, err
	}
	scenarios, err := choose(all, []string{askStatic, scenarioMixed}, false)
	if err != nil {
		return costs{}, err
	}
	_, core, err := cores.Split()
	if err != nil {
		return costs{}, err
	}
	w, err := newWorld(ctx, site, core, environments(scenarios))
	defer w.close()
	if err != nil {
		return costs{}, err
	}
	r, err := w.measureScenarios(ctx, scenarios, nil, 5, amount{warmUp: 200 * time.Millisecond, measured: 600 * time.Millisecond, connections: 16})
	if err != nil {
		return costs{}, err
	}
	return costs{r.ratio(visited{askStatic, nameSidecar}, cpu), r.ratio(visited{scenarioMixed, nameSidecar}, cpu)}, nil
}
