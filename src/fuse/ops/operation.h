#pragma once

#include <atomic>
#include <string_view>

#include "fuse/handler.h"
#include "fuse/init.h"
#include "fuse/responder.h"
#include "fuse/slow_pools.h"
#include "fuse/wire.h"
#include "vfs/filesystem.h"

namespace weir::fuse {

/// What all operations work with. Thread-safe.
struct Service {
  explicit Service(vfs::Filesystem& served)
      : filesystem(served),
        lifetimes(served.lifetimes()),
        writers_open(static_cast<int64_t>(served.writers_restored())) {}

  vfs::Filesystem& filesystem;
  const vfs::Lifetimes lifetimes;
  Negotiated negotiated;              // set before the first request
  std::atomic<int64_t> writers_open;  // handles that may write; with none, nothing is unpublished
  SlowPools pools;

  /// Runs what publishes files that are open for writing: here and now if there are none.
  void publish(Responder responder, SlowPools::Job job);
};

/// Decodes one request, does it, answers. Returns soon; what takes long goes to the pools.
using Operation = void (*)(Service&, const Request&, Responder);

inline vfs::KernelNode node_of(const Request& request) { return {request.header.nodeid}; }
vfs::Caller caller_of(const Request& request);

void answer(Responder responder, const Status& status);
/// The same, for those who take a function.
inline void answer_status(Responder responder, const Status& status) { answer(std::move(responder), status); }

/// Answers with `first`, what a call has come to (a Status or a Result), by `answer_with_result`. Where the mount waits
/// for room in a full cache, a call that found none is attempted again, on the pool of those that wait for uploads,
/// until there is room or the caller gets a signal.
template <class Outcome, class Attempt, class Answer>
void answer_when_there_is_room(Service& service, Responder responder, const Outcome& first, Attempt attempt,
                               Answer answer_with_result) {
  if (first || !service.filesystem.waits_for_room(first.error()))
    return answer_with_result(std::move(responder), first);
  service.pools.wait_for_upload(std::move(responder), [&service, attempt, answer_with_result](Responder later) {
    const Interruption interruption = later.interruption();
    while (true) {
      service.filesystem.wait_for_room();
      const Outcome outcome = attempt();
      if (outcome || !service.filesystem.waits_for_room(outcome.error()) || service.pools.ending())
        return answer_with_result(std::move(later), outcome);
      if (interruption.raised()) return later.fail(Code::kInterrupted);
    }
  });
}

/// The kernel never sends such a body.
void answer_malformed(Responder responder);

template <class T>
void answer_with(Responder responder, const T& out) {
  responder.ok({reinterpret_cast<const char*>(&out), sizeof(out)});
}

/// The encoding of a value, or its error.
template <class T, class Encode>
void answer(Responder responder, const Result<T>& result, Encode encode) {
  if (!result) return responder.fail(result.error());
  answer_with(std::move(responder), encode(*result));
}

}  // namespace weir::fuse
