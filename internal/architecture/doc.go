// Package architecture holds the tests that keep the rooms of the house apart: who may import whom, what a binary may link, and what
// every package must have. It has no code of its own.
package architecture
