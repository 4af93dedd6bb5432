package flagsync

const (
	peopleStream  = "PEOPLE"
	peopleSubject = "people"
)

// peopleConfig is the stream of what is known about persons. Records hold a hash
// of it only, so that a person can be erased: a subject holds its newest message
// only, and messages can be deleted. It is not repeated anywhere.
func peopleConfig(replicas int) streamConfig {
	c := newStreamConfig(peopleStream, peopleSubject, replicas)
	c.MaxPerSubject = 1
	c.DenyDelete, c.DenyPurge, c.AllowAtomic = false, false, false
	return c
}
