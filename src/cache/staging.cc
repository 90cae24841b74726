#include "cache/staging.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/io.h"
#include "base/log.h"
#include "cache/state.h"

namespace weir::cache {

namespace {
constexpr uint64_t kAccountBytes = 1u << 20;
constexpr size_t kPageBytes = 4096;
constexpr size_t kLargeWriteBytes = 64u << 10;  // below that, large pages gain nothing
}  // namespace

Staging::Staging(Cache& cache, uint64_t id, std::string path, FileDescriptor fd)
    : cache_(cache), id_(id), path_(std::move(path)), fd_(std::move(fd)) {
  ++cache_.state_->staging_files;
  account();
}

Staging::~Staging() {
  Cache::State& state = *cache_.state_;
  --state.staging_files;
  state.staging_bytes -= static_cast<int64_t>(disk_bytes_.load());
  if (kept_ || !fd_.valid()) return;
  // The record first: without its file it would be reported as lost.
  if (has_record())
    if (Status erased = state.journal->erase_staging(id_); !erased)
      log::warning("the record of staging file {} stays: {}", id_, erased.error().what);
  if (Status removed = io::remove_file(path_); !removed) log::warning("{}", removed.error().what);
}

Status Staging::write(uint64_t offset, std::string_view bytes) {
  TRY(cache_.state_->write_admitted(fd_.get(), bytes, offset));
  if (unaccounted_.fetch_add(bytes.size()) + bytes.size() >= kAccountBytes) account();
  return {};
}

Status Staging::write_last(uint64_t offset, std::string_view bytes) {
  static constexpr char kZeros[kPageBytes] = {};
  const uint64_t over = (offset + bytes.size()) % kPageBytes;
  if (over == 0 || bytes.size() < kLargeWriteBytes) return write(offset, bytes);
  const std::string_view zeros(kZeros, kPageBytes - over);
  TRY(cache_.state_->space->admit(bytes.size() + zeros.size()));
  const iovec pieces[] = {{const_cast<char*>(bytes.data()), bytes.size()}, {const_cast<char*>(kZeros), zeros.size()}};
  const ssize_t put = ::pwritev(fd_.get(), pieces, 2, static_cast<off_t>(offset));
  const size_t done = put > 0 ? static_cast<size_t>(put) : 0;
  if (done < bytes.size()) return write(offset + done, bytes.substr(done));
  if (unaccounted_.fetch_add(bytes.size()) + bytes.size() >= kAccountBytes) account();
  return {};
}

Status Staging::read(uint64_t offset, std::span<char> buffer) const {
  ASSIGN_OR_RETURN(size_t got, io::read_at(fd_.get(), buffer.data(), buffer.size(), offset));
  std::memset(buffer.data() + got, 0, buffer.size() - got);
  return {};
}

Status Staging::truncate(uint64_t size) {
  if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0)
    return errno_error(errno, fmt::format("give {} the size {}", path_, size));
  account();
  return {};
}

bool Staging::has_no_other_writer() {
  const std::string path = fmt::format("/proc/self/fd/{}", fd_.get());
  auto reader = io::open_file(path, O_RDONLY);
  if (!reader) return false;
  // Our own descriptor would count. The file is ours by its name, so it can be opened again.
  fd_.reset();
  const bool alone = io::has_no_writer(reader->get());
  auto writer = io::open_file(fmt::format("/proc/self/fd/{}", reader->get()), O_RDWR);
  fd_ = writer ? std::move(*writer) : std::move(*reader);
  return alone && writer;
}

Status Staging::punch(uint64_t offset, uint64_t length) {
  if (length == 0) return {};
  int done = ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                         static_cast<off_t>(length));
  if (done != 0 && errno != EOPNOTSUPP) return errno_error(errno, fmt::format("punch a hole into {}", path_));
  if (done != 0) {
    ASSIGN_OR_RETURN(uint64_t size, io::file_size(fd_.get()));
    const std::string zeros(64u << 10, '\0');
    for (uint64_t end = std::min(size, offset + length); offset < end;) {
      uint64_t count = std::min<uint64_t>(zeros.size(), end - offset);
      TRY(io::write_at(fd_.get(), std::string_view(zeros).substr(0, count), offset));
      offset += count;
    }
  }
  account();
  return {};
}

Status Staging::save_record(std::string_view record) {
  Cache::State& state = *cache_.state_;
  // The first record makes the file worth keeping, so its name must be as safe as the record.
  if (record_.empty()) state.staging_names_unsynced = true;
  TRY(state.journal->save_staging(id_, StagingRow{std::nullopt, Bytes(record), handover_}));
  record_ = Bytes(record);
  return {};
}

Status Staging::save_handover(std::string_view handover) {
  TRY(cache_.state_->journal->save_staging(id_, StagingRow{std::nullopt, record_, Bytes(handover)}));
  handover_ = Bytes(handover);
  return {};
}

bool Staging::is_image_still() const {
  struct stat attributes {};
  return ::fstat(fd_.get(), &attributes) == 0 && attributes.st_nlink > 1;
}

Status Staging::sync() {
  Cache::State& state = *cache_.state_;
  TRY(io::sync_data(fd_.get(), path_));
  return state.journal_sync.run();
}

void Staging::account() {
  unaccounted_ = 0;
  struct stat attributes {};
  if (::fstat(fd_.get(), &attributes) != 0) return;
  const uint64_t now = static_cast<uint64_t>(attributes.st_blocks) * 512;
  cache_.state_->staging_bytes += static_cast<int64_t>(now) - static_cast<int64_t>(disk_bytes_.exchange(now));
}

}  // namespace weir::cache
