// Package transporttest provides the one contract test of the transports: what internal/transport promises, each
// sentence as a test, over any implementation.
//
//	func TestContract(t *testing.T) { transporttest.Run(t, epollloop.New) }
//
// The tests talk to the implementation over loopback and Unix sockets only. Nothing in them depends on how long
// something takes: waiting ends with the event, and patience bounds it.
package transporttest

import (
	"testing"

	"github.com/covetpy/covet/internal/transport"
)

// NewGroup makes a group of the implementation under test.
type NewGroup func(transport.Config) (transport.Group, error)

// Run runs the whole contract over newGroup, one subtest a promise.
func Run(t *testing.T, newGroup func(transport.Config) (transport.Group, error)) {
	t.Helper()
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) { c.run(t, newGroup) })
	}
}

type promise struct {
	name string
	run  func(*testing.T, NewGroup)
}

var contract = []promise{
	{"Group/LoopsAreNumbered", loopsAreNumbered},
	{"Group/EveryLoopGetsConnections", everyLoopGetsConnections},
	{"Group/SeveralListeners", severalListeners},
	{"Group/MaxConns", maxConns},
	{"Group/NilSessionRefuses", nilSessionRefuses},
	{"Group/StopListeningLeavesConnections", stopListeningLeavesConnections},
	{"Group/StopListeningServesWhatWaits", stopListeningServesWhatWaits},
	{"Group/CloseFreesEverything", closeFreesEverything},
	{"Group/ChurnLeavesNothing", churnLeavesNothing},
	{"Group/OutOfDescriptorsBacksOff", outOfDescriptors},
	{"Conn/Addresses", addresses},
	{"Conn/UnixSocket", unixSocket},
	{"Conn/IDsAreUnique", idsAreUnique},
	{"Conn/IdleHoldsNoBuffer", idleHoldsNoBuffer},
	{"Conn/RandomLives", randomLives},
	{"Conn/RandomLivesCutShort", livesCutShort},
	{"Input/SplitAtEveryByte", splitAtEveryByte},
	{"Input/ModifiedInPlace", modifiedInPlace},
	{"Input/PipelinedMessages", pipelinedMessages},
	{"Input/MaxInputStopsReading", maxInputStopsReading},
	{"Input/PauseWithholdsData", pauseWithholdsData},
	{"Input/PauseStopsReading", pauseStopsReading},
	{"Input/PauseInAccept", pauseInAccept},
	{"Input/ResumeOffersUnreadInput", resumeOffersUnread},
	{"Input/ResumeWithinTheTurn", resumeWithinTurn},
	{"Input/EOFComesAfterData", eofComesAfterData},
	{"Input/EOFWaitsForResume", eofWaitsForResume},
	{"Input/EOFComesAfterResumedInput", eofComesAfterResumedInput},
	{"Output/AtTheEndOfTheTurn", outputAtEndOfTurn},
	{"Output/Reserve", reserve},
	{"Output/DrainedFollowsEveryWrite", drainedFollowsWrite},
	{"Output/SlowReader", slowReader},
	{"Output/WrittenOutsideOfData", writtenOutsideOfData},
	{"Output/DrainedProducesMore", drainedProducesMore},
	{"Output/Unacknowledged", unacknowledged},
	{"Output/EchoUnderBackpressure", echoUnderBackpressure},
	{"File/OrderOfBytesAndFiles", fileOrder},
	{"File/ManyPipelined", filesPipelined},
	{"File/SlowReader", fileSlowReader},
	{"File/NotInMemory", fileNotInMemory},
	{"File/ThenClose", fileThenClose},
	{"File/CutInTheMiddle", fileCut},
	{"File/TooShort", fileTooShort},
	{"File/Unreadable", fileUnreadable},
	{"File/LargerThanTwoGiB", fileFar},
	{"File/Shrinks", fileShrinks},
	{"File/DrainedProducesMore", fileDrainedProducesMore},
	{"Close/FlushesOutput", closeFlushes},
	{"Close/FromEveryCallback", closeFromEveryCallback},
	{"Close/IgnoresOutput", closeIgnoresOutput},
	{"Close/CloseWriteKeepsInput", closeWriteKeepsInput},
	{"Close/AbortDropsOutput", abortDropsOutput},
	{"Close/AbortAfterClose", abortAfterClose},
	{"Close/ResetByPeer", resetByPeer},
	{"Close/ResetWhilePaused", resetWhilePaused},
	{"Close/ResetWithPendingOutput", resetWithPendingOutput},
	{"Post/OrderOfEachPoster", postOrder},
	{"Post/WakesASleepingLoop", postWakes},
	{"Post/TaskPostsItself", taskPostsItself},
	{"Post/AfterClose", postAfterClose},
	{"Timer/FiresOnceNotEarly", timerFires},
	{"Timer/Moved", timerMoved},
	{"Timer/Unscheduled", timerUnscheduled},
	{"Timer/DisarmedInsideAnother", timerDisarmedInside},
	{"Timer/SchedulesItself", timerSchedulesItself},
	{"Source/DoorbellWakes", doorbellWakes},
	{"Source/OrderOfCalls", sourceOrder},
	{"Source/WorkedMeansAnotherTurn", sourceWorked},
	{"Source/PrepareSleepRefused", prepareSleepRefused},
	{"Source/RungWhileFallingAsleep", rungWhileFallingAsleep},
	{"Source/FlushedBeforeSleep", flushedBeforeSleep},
	{"Source/AttachAndDetachInCallbacks", attachDetach},
	{"Source/NoLostWakeUp", noLostWakeUp},
}
