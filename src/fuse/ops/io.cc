#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "fuse/ops/ops.h"

namespace weir::fuse::ops {

namespace {

/// Where a thread puts what it reads, aligned to pages, for its whole life: touching fresh memory costs as much as
/// copying into it.
class ReadBuffer {
 public:
  ReadBuffer() {
    void* base = ::mmap(nullptr, limits::kFuseIoBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(base != MAP_FAILED);
    base_ = static_cast<char*>(base);
  }
  ~ReadBuffer() { ::munmap(base_, limits::kFuseIoBytes); }
  ReadBuffer(const ReadBuffer&) = delete;
  ReadBuffer& operator=(const ReadBuffer&) = delete;

  std::span<char> first(size_t count) { return {base_, count}; }

 private:
  char* base_;
};

/// `otherwise` gets the responder when only other nodes have the bytes, none gives them now, and `waiting` says not to
/// wait.
template <class Otherwise>
void read_or(Service& service, const fuse_read_in& in, Responder responder, const vfs::Waiting& waiting,
             Otherwise otherwise) {
  thread_local ReadBuffer buffer;
  const auto count = service.filesystem.read(in.fh, in.offset, buffer.first(in.size), waiting);
  if (!count && count.error().code == Code::kWouldBlock) return otherwise(std::move(responder));
  if (!count) return responder.fail(count.error());
  responder.ok(std::string_view(buffer.first(*count).data(), *count));
}

/// Waits for other nodes until the caller gets a signal.
void read_early(Service& service, const fuse_read_in& in, Responder responder) {
  const Interruption interruption = responder.interruption();
  const vfs::Waiting waiting{.keep_going = [interruption] { return !interruption.raised(); }};
  read_or(service, in, std::move(responder), waiting, [](Responder later) { later.fail(Code::kUnavailable); });
}

void read_now(Service& service, const fuse_read_in& in, Responder responder) {
  read_or(service, in, std::move(responder), {.for_holders = false}, [&service, in](Responder later) {
    service.pools.wait_for_holder(std::move(later),
                                  [&service, in](Responder last) { read_early(service, in, std::move(last)); });
  });
}

void answer_written(Responder responder, const Result<size_t>& written) {
  answer(std::move(responder), written, [](size_t count) { return fuse_write_out{static_cast<uint32_t>(count), 0}; });
}

/// A write is never interrupted: few programs expect that. It waits for other nodes as long as a read may.
void write_now(Service& service, const fuse_write_in& in, std::string_view bytes, Responder responder,
               const vfs::Waiting& waiting = {.for_holders = false}) {
  const auto from = (in.write_flags & FUSE_WRITE_CACHE) != 0 ? vfs::WriteFrom::kPageCache : vfs::WriteFrom::kProgram;
  const Result<size_t> written = service.filesystem.write(in.fh, in.offset, bytes, from, waiting);
  if (!written && written.error().code == Code::kWouldBlock)
    return service.pools.wait_for_holder(std::move(responder), [&service, in, copied = Bytes(bytes)](Responder later) {
      write_now(service, in, copied, std::move(later), {});
    });
  const bool again = !written && service.filesystem.waits_for_room(written.error());
  answer_when_there_is_room(
      service, std::move(responder), written,
      [&service, in, from, copied = again ? Bytes(bytes) : Bytes()] {
        return service.filesystem.write(in.fh, in.offset, copied, from);
      },
      answer_written);
}

/// O_SYNC: the kernel does not send an fsync after a write that bypasses its page cache.
void write_and_sync(Service& service, const Request& request, const fuse_write_in& in, std::string_view bytes,
                    Responder responder) {
  auto job = [&service, caller = caller_of(request), in, copied = Bytes(bytes)](Responder later) {
    const Interruption interruption = later.interruption();
    const auto attempt = [&service, caller, in, copied, interruption]() -> Result<size_t> {
      auto written = service.filesystem.write(in.fh, in.offset, copied, vfs::WriteFrom::kProgram);
      Status synced =
          written ? service.filesystem.sync(caller, in.fh, true, [&] { return !interruption.raised(); }) : Status();
      if (!synced) return Failure(synced.error());
      return written;
    };
    answer_when_there_is_room(service, std::move(later), attempt(), attempt, answer_written);
  };
  if (service.filesystem.sync_waits_for_store())
    service.pools.wait_for_upload(std::move(responder), std::move(job));
  else
    service.pools.publish(std::move(responder), std::move(job));
}

/// `encode` makes the reply of the number of bytes copied.
template <class Encode>
void copy(Service& service, const Request& request, Responder responder, uint64_t bytes_max, Encode encode) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_copy_file_range_in>();
  if (reader.failed() || in.flags != 0) return answer_malformed(std::move(responder));
  service.pools.wait_for_store(std::move(responder),
                               [&service, caller = caller_of(request), in, bytes_max, encode](Responder later) {
                                 answer(std::move(later),
                                        service.filesystem.copy_range(caller, in.fh_in, in.off_in, in.fh_out,
                                                                      in.off_out, std::min(in.len, bytes_max)),
                                        encode);
                               });
}

// As read(2) and write(2) count at most, in whole pages.
constexpr uint64_t kCountMax = 0x7ffff000;

}  // namespace

void read(Service& service, const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_read_in>();
  if (reader.failed() || in.size > limits::kFuseIoBytes) return answer_malformed(std::move(responder));
  if (service.filesystem.read_is_local(in.fh, in.offset, in.size)) return read_now(service, in, std::move(responder));
  service.pools.wait_for_store(std::move(responder),
                               [&service, in](Responder later) { read_now(service, in, std::move(later)); });
}

void write(Service& service, const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_write_in>();
  const std::string_view bytes = reader.bytes(in.size);
  if (reader.failed()) return answer_malformed(std::move(responder));
  if ((in.write_flags & FUSE_WRITE_KILL_SUIDGID) != 0) {
    if (Status dropped = service.filesystem.drop_setid(caller_of(request), in.fh); !dropped)
      return answer(std::move(responder), dropped);
  }
  if ((in.write_flags & FUSE_WRITE_CACHE) == 0 && service.filesystem.syncs_writes(in.fh))
    return write_and_sync(service, request, in, bytes, std::move(responder));
  if (service.filesystem.write_is_local(in.fh, in.offset, in.size)) {
    return write_now(service, in, bytes, std::move(responder));
  }
  service.pools.wait_for_store(std::move(responder), [&service, in, copied = Bytes(bytes)](Responder later) {
    write_now(service, in, copied, std::move(later));
  });
}

void allocate(Service& service, const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_fallocate_in>();
  if (reader.failed()) return answer_malformed(std::move(responder));
  service.pools.wait_for_store(std::move(responder), [&service, caller = caller_of(request), in](Responder later) {
    const auto attempt = [&service, caller, in] {
      return service.filesystem.allocate(caller, in.fh, in.mode, in.offset, in.length);
    };
    answer_when_there_is_room(service, std::move(later), attempt(), attempt, answer_status);
  });
}

void seek(Service& service, const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_lseek_in>();
  if (reader.failed()) return answer_malformed(std::move(responder));
  if (in.whence != SEEK_DATA && in.whence != SEEK_HOLE) return responder.fail(Code::kInvalid);
  answer(std::move(responder), service.filesystem.seek(in.fh, in.offset, in.whence == SEEK_DATA),
         [](uint64_t offset) { return fuse_lseek_out{offset}; });
}

void copy_range(Service& service, const Request& request, Responder responder) {
  copy(service, request, std::move(responder), kCountMax, [](uint64_t count) {
    return fuse_write_out{static_cast<uint32_t>(count), 0};
  });
}

void copy_range_64(Service& service, const Request& request, Responder responder) {
  copy(service, request, std::move(responder), UINT64_MAX, [](uint64_t count) { return CopyFileRangeOut{count}; });
}

}  // namespace weir::fuse::ops
