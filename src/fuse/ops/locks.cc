#include <memory>

#include "fuse/encode.h"
#include "fuse/ops/ops.h"

namespace weir::fuse::ops {

namespace {

void set(Service& service, const Request& request, Responder responder, bool wait) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_lk_in>();
  if (reader.failed()) return answer_malformed(std::move(responder));
  const Result<vfs::Lock> wanted = decode_lock(in);
  if (!wanted) return responder.fail(wanted.error());
  auto job = [&service, caller = caller_of(request), node = node_of(request), in, wait,
              lock = *wanted](Responder later) {
    const Interruption interruption = later.interruption();
    auto kept = std::make_shared<Responder>(std::move(later));
    service.filesystem.set_lock(caller, node, in.fh, lock, wait,
                                [kept](const Status& done) { answer(std::move(*kept), done); });
    // A signal that came before the lock was waited for found nobody waiting.
    if (wait && interruption.raised()) service.filesystem.interrupt_lock(caller);
  };
  if (service.filesystem.lock_is_long(in.fh, *wanted))
    return service.pools.publish(std::move(responder), std::move(job));
  job(std::move(responder));
}

}  // namespace

void get_lock(Service& service, const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_lk_in>();
  if (reader.failed()) return answer_malformed(std::move(responder));
  const Result<vfs::Lock> wanted = decode_lock(in);
  if (!wanted) return responder.fail(wanted.error());
  answer(std::move(responder), service.filesystem.get_lock(node_of(request), *wanted), encode_lock);
}

void set_lock(Service& service, const Request& request, Responder responder) {
  set(service, request, std::move(responder), false);
}

void set_lock_wait(Service& service, const Request& request, Responder responder) {
  set(service, request, std::move(responder), true);
}

}  // namespace weir::fuse::ops
