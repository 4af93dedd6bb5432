package api

import "time"

// Source is files or objects that an environment follows.
type Source struct {
	Name          string          `json:"name" example:"publisher:/flags/prod" doc:"What stands in the member $source of the documents that it owns; of objects of Kubernetes, with the object behind it."`
	Kind          string          `json:"kind" enum:"files,kubernetes"`
	Place         string          `json:"place" doc:"The path, or the namespace."`
	State         string          `json:"state" enum:"starting,applied,waiting-for-approval,delayed,broken,missing,conflict,behind,refused,not-followed" doc:"How far this publisher is with it. applied: the environment is as it says. waiting-for-approval: a change request waits. delayed: the environment cannot be changed now. broken: it has mistakes. missing: it cannot be read, or is empty. conflict: others have some of it. behind: another publisher has a newer version. refused: policies do not permit it, or its change request was rejected. not-followed: it owns documents, and this publisher does not follow it."`
	Since         time.Time       `json:"since,omitzero" doc:"When the state began."`
	Detail        string          `json:"detail,omitempty" doc:"What exactly is wrong."`
	ChangeRequest string          `json:"changeRequest,omitempty" doc:"The change request that waits, or was rejected."`
	Version       string          `json:"version,omitempty" doc:"What was read last: a commit, a resource version, or the beginning of a digest."`
	Applied       time.Time       `json:"applied,omitzero" doc:"When the environment was last found to be as the source says."`
	Documents     int             `json:"documents" doc:"How many documents it owns."`
	Conflicts     []EventDocument `json:"conflicts,omitempty" nullable:"false" doc:"The documents that others have."`
}

// SourceList is the sources of an environment.
type SourceList struct {
	Items []Source `json:"items" nullable:"false"`
}
