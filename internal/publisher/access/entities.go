package access

import (
	"math"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
)

// The types of entities that policies speak of.
const (
	typePrincipal    cedar.EntityType = "Flagside::Principal"
	typeGroup        cedar.EntityType = "Flagside::Group"
	typeAction       cedar.EntityType = "Flagside::Action"
	typeInstallation cedar.EntityType = "Flagside::Installation"
	typeEnvironment  cedar.EntityType = "Flagside::Environment"
	typeFlagSet      cedar.EntityType = "Flagside::FlagSet"
	typeFlag         cedar.EntityType = "Flagside::Flag"
	typeSegment      cedar.EntityType = "Flagside::Segment"
	typeSettings     cedar.EntityType = "Flagside::Settings"
)

// installation is the one entity of what is global.
const installation = "flagside"

func newEvaluation(all policies, q Question) evaluation {
	principal, resource := principalEntity(q.Principal), resourceEntities(q.Resource)
	entities := cedar.EntityMap{principal.UID: principal}
	for _, e := range resource {
		entities[e.UID] = e
	}
	return evaluation{
		policies: all, entities: entities, question: q,
		request: cedar.Request{
			Principal: principal.UID,
			Action:    cedar.NewEntityUID(typeAction, cedar.String(q.Action)),
			Resource:  resource[0].UID,
		},
	}
}

func principalEntity(p Principal) cedar.Entity {
	groups := make([]cedar.EntityUID, 0, len(p.Groups))
	for _, g := range p.Groups {
		groups = append(groups, cedar.NewEntityUID(typeGroup, cedar.String(g)))
	}
	return cedar.Entity{
		UID:        cedar.NewEntityUID(typePrincipal, cedar.String(p.PolicyID())),
		Parents:    cedar.NewEntityUIDSet(groups...),
		Attributes: cedar.NewRecord(cedar.RecordMap{"name": cedar.String(p.Name), "kind": cedar.String(p.Kind)}),
	}
}

// resourceEntities returns the entity of a resource, followed by those that it lies in.
func resourceEntities(r Resource) []cedar.Entity {
	global := cedar.NewEntityUID(typeInstallation, installation)
	environment := cedar.NewEntityUID(typeEnvironment, cedar.String(r.Environment))
	above := cedar.Entity{UID: global, Attributes: attributes(Resource{})}
	if r.Environment == "" {
		return []cedar.Entity{above}
	}
	around := Resource{Environment: r.Environment, Protected: r.Protected}
	in := cedar.Entity{UID: environment, Parents: cedar.NewEntityUIDSet(global), Attributes: attributes(around)}
	name := cedar.String(r.Environment + "/" + r.Key)
	document := cedar.Entity{Parents: cedar.NewEntityUIDSet(environment), Attributes: attributes(r)}
	switch {
	case r.Kind == "" && r.Key == "":
		return []cedar.Entity{in, above}
	case r.Kind == "segment":
		document.UID = cedar.NewEntityUID(typeSegment, name)
		return []cedar.Entity{document, in, above}
	case r.Kind == "settings":
		document.UID = cedar.NewEntityUID(typeSettings, cedar.String(r.Environment))
		return []cedar.Entity{document, in, above}
	}
	document.UID = cedar.NewEntityUID(typeFlag, name)
	if r.FlagSet == "" {
		return []cedar.Entity{document, in, above}
	}
	set := cedar.Entity{
		UID: cedar.NewEntityUID(typeFlagSet, cedar.String(r.Environment+"/"+r.FlagSet)), Parents: cedar.NewEntityUIDSet(environment),
		Attributes: cedar.NewRecord(cedar.RecordMap{"environment": cedar.String(r.Environment)}),
	}
	document.Parents = cedar.NewEntityUIDSet(environment, set.UID)
	return []cedar.Entity{document, set, in, above}
}

// attributes are the same for every kind of resource, so that a policy can speak of all of them at once.
func attributes(r Resource) cedar.Record {
	return cedar.NewRecord(cedar.RecordMap{
		"environment": cedar.String(r.Environment), "protected": cedar.Boolean(r.Protected), "key": cedar.String(r.Key),
		"flagSet": cedar.String(r.FlagSet), "owner": cedar.String(r.Owner), "kind": cedar.String(r.FlagKind), "tags": texts(inLowerCase(r.Tags)),
	})
}

// inLowerCase returns tags as they are written and, for policies that name tags in lower case, in lower case and without white space
// around them.
func inLowerCase(tags []string) []string {
	all := slices.Clone(tags)
	for _, tag := range tags {
		all = append(all, strings.ToLower(strings.TrimSpace(tag)))
	}
	return all
}

func circumstances(c Circumstances, approvals int) cedar.Record {
	reasons := make([]string, 0, len(c.Risk.Reasons))
	for _, r := range c.Risk.Reasons {
		reasons = append(reasons, r.Code)
	}
	percent := cedar.Long(100) // of users, as long as nothing better is known
	if c.Risk.ShareKnown && c.Risk.Share >= 0 && c.Risk.Share <= 1 {
		percent = cedar.Long(math.Ceil(100 * c.Risk.Share))
	}
	return cedar.NewRecord(cedar.RecordMap{
		"approvals": cedar.Long(max(approvals, 0)), "ownRequest": cedar.Boolean(c.OwnRequest), "breakGlass": cedar.Boolean(c.BreakGlass),
		"risk": cedar.NewRecord(cedar.RecordMap{
			"high": cedar.Boolean(c.Risk.High), "reasons": texts(reasons), "shareKnown": cedar.Boolean(c.Risk.ShareKnown),
			"sharePercent": percent, "dependants": cedar.Long(c.Risk.Dependants),
			"usageKnown": cedar.Boolean(c.Risk.UsageKnown), "inUse": cedar.Boolean(c.Risk.InUse),
		}),
	})
}

func texts(all []string) cedar.Set {
	values := make([]cedar.Value, 0, len(all))
	for _, s := range all {
		values = append(values, cedar.String(s))
	}
	return cedar.NewSet(values...)
}
