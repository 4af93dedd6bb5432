// Package preview chooses which sidecars are asked what a change would do, and sums up their answers. It is pure: chance is an argument.
package preview

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"github.com/flagside/flagside/internal/publisher/fleet"
	"github.com/flagside/flagside/sync/status"
)

// MaxAsked is how many sidecars are asked at most.
const MaxAsked = 40

// Asked is a sidecar that is asked.
type Asked struct {
	Boot string
	// Name and Namespace are what people call it.
	Name, Namespace string
	// Application is what it answers for, empty if it does not say.
	Application string
	// Scale is how many sidecars of the fleet it stands for.
	Scale float64
}

func (a Asked) of() application { return application{a.Namespace, a.Application} }

// Sample is who is asked, and of how many.
type Sample struct {
	Asked    []Asked
	Sidecars int // that report
	// InProcess is how many clients evaluate by themselves, which nothing is known of.
	InProcess int
}

// application is where sidecars are thought to be alike.
type application struct{ namespace, name string }

// Choose chooses sidecars by chance, spread over the applications. Those that are silent are not asked.
func Choose(f fleet.Fleet, most int, random *rand.Rand) Sample {
	groups := make(map[application][]fleet.Sidecar)
	var s Sample
	for _, one := range f.Sidecars {
		if one.Standing == fleet.Silent {
			continue
		}
		s.Sidecars++
		s.InProcess += one.Report.Clients[status.FaceSync]
		of := application{one.Report.Identity.Namespace, one.Report.Identity.Application}
		groups[of] = append(groups[of], one)
	}
	order := make([]application, 0, len(groups))
	for of, all := range groups {
		order = append(order, of)
		slices.SortFunc(all, func(a, b fleet.Sidecar) int { return cmp.Compare(a.Report.Boot, b.Report.Boot) })
	}
	slices.SortFunc(order, func(a, b application) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
	})
	for _, of := range order { // in this order, so that chance alone decides
		random.Shuffle(len(groups[of]), func(i, j int) { groups[of][i], groups[of][j] = groups[of][j], groups[of][i] })
	}
	random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	s.Asked = spread(groups, order, most)
	return s
}

// spread takes one sidecar of each application after the other.
func spread(groups map[application][]fleet.Sidecar, order []application, most int) (asked []Asked) {
	chosen := order[:min(len(order), most)]
	taken := make(map[application]int)
	for left := most; left > 0; {
		before := left
		for _, of := range chosen {
			if taken[of] < len(groups[of]) && left > 0 {
				taken[of]++
				left--
			}
		}
		if left == before {
			break
		}
	}
	for _, of := range chosen {
		scale := float64(len(groups[of])) / float64(taken[of]) * float64(len(order)) / float64(len(chosen))
		for _, one := range groups[of][:taken[of]] {
			asked = append(asked, Asked{Boot: one.Report.Boot, Name: fleet.Name(one.Report.Identity), Namespace: of.namespace, Application: of.name, Scale: scale})
		}
	}
	return asked
}
