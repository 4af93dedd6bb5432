// Package risk judges what a change of documents would do: to how many users, to which flags, and whether now is a time for it. It is pure.
package risk
