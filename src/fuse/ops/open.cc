#include <fcntl.h>

#include "fuse/encode.h"
#include "fuse/ops/ops.h"

namespace weir::fuse::ops {

namespace {

bool may_write(uint32_t flags) { return (flags & O_ACCMODE) != O_RDONLY; }

void count_writer(Service& service, uint32_t flags, int64_t change) {
  if (may_write(flags)) service.writers_open.fetch_add(change, std::memory_order_relaxed);
}

meta::NewInode new_file(const Request& request, const fuse_create_in& in) {
  meta::NewInode wanted;
  wanted.mode = in.mode & 07777;
  wanted.umask = in.umask;
  wanted.uid = request.header.uid;
  wanted.gid = request.header.gid;
  return wanted;
}

void answer_created(Service& service, Responder responder, const Result<vfs::CreatedFile>& created, uint32_t flags) {
  if (!created) return responder.fail(created.error());
  count_writer(service, flags, 1);
  fuse_entry_out entry = encode_entry(created->entry, service.lifetimes);
  OpenOut opened = encode_opened(created->opened);
  const iovec pieces[2] = {{&entry, sizeof(entry)}, {&opened, sizeof(opened)}};
  responder.ok(pieces);
}

}  // namespace

void open(Service& service, const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_open_in>();
  if (reader.failed()) return answer_malformed(std::move(responder));
  auto job = [&service, caller = caller_of(request), node = node_of(request), in](Responder later) {
    const auto opened = service.filesystem.open(caller, node, static_cast<int>(in.flags));
    if (opened) count_writer(service, in.flags, 1);
    answer(std::move(later), opened, encode_opened);
  };
  if (service.filesystem.open_is_long(node_of(request)))
    return service.pools.wait_for_store(std::move(responder), std::move(job));
  job(std::move(responder));
}

void create(Service& service, const Request& request, Responder responder) {
  BodyReader reader(without_extensions(request.header, request.body));
  const auto in = reader.take<fuse_create_in>();
  const std::string_view name = reader.name();
  if (reader.failed()) return answer_malformed(std::move(responder));
  answer_created(service, std::move(responder),
                 service.filesystem.create(caller_of(request), node_of(request), name, new_file(request, in),
                                           static_cast<int>(in.flags)),
                 in.flags);
}

void create_unnamed(Service& service, const Request& request, Responder responder) {
  BodyReader reader(without_extensions(request.header, request.body));
  const auto in = reader.take<fuse_create_in>();
  if (reader.failed()) return answer_malformed(std::move(responder));
  answer_created(service, std::move(responder),
                 service.filesystem.create_unnamed(caller_of(request), node_of(request), new_file(request, in),
                                                   static_cast<int>(in.flags)),
                 in.flags);
}

void flush(Service& service, const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_flush_in>();
  if (reader.failed()) return answer_malformed(std::move(responder));
  auto job = [&service, caller = caller_of(request), in](Responder later) {
    const auto attempt = [&service, caller, in] { return service.filesystem.flush(caller, in.fh, in.lock_owner); };
    answer_when_there_is_room(service, std::move(later), attempt(), attempt, answer_status);
  };
  if (service.filesystem.flush_is_long(in.fh)) return service.pools.publish(std::move(responder), std::move(job));
  job(std::move(responder));
}

void release(Service& service, const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_release_in>();
  if (reader.failed()) return answer_malformed(std::move(responder));
  auto job = [&service, caller = caller_of(request), in](Responder later) {
    const bool unlocks = (in.release_flags & FUSE_RELEASE_FLOCK_UNLOCK) != 0;
    service.filesystem.release(caller, in.fh, unlocks ? std::optional(in.lock_owner) : std::nullopt);
    count_writer(service, in.flags, -1);
    later.ok();
  };
  if (service.filesystem.flush_is_long(in.fh)) return service.pools.publish(std::move(responder), std::move(job));
  job(std::move(responder));
}

void sync(Service& service, const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_fsync_in>();
  if (reader.failed()) return answer_malformed(std::move(responder));
  auto job = [&service, caller = caller_of(request), in](Responder later) {
    const bool data_only = (in.fsync_flags & FUSE_FSYNC_FDATASYNC) != 0;
    const auto attempt = [&service, caller, in, data_only, interruption = later.interruption()] {
      return service.filesystem.sync(caller, in.fh, data_only, [&interruption] { return !interruption.raised(); });
    };
    answer_when_there_is_room(service, std::move(later), attempt(), attempt, answer_status);
  };
  if (service.filesystem.sync_waits_for_store())
    service.pools.wait_for_upload(std::move(responder), std::move(job));
  else
    service.pools.publish(std::move(responder), std::move(job));
}

}  // namespace weir::fuse::ops
