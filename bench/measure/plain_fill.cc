#include "bench/measure/plain_fill.h"

#include <fcntl.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "base/hex.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "bench/measure/content.h"
#include "bench/measure/stopwatch.h"

namespace weir::bench {

namespace {

std::string name_of(std::string_view chunk) {
  const Sha256Digest digest = sha256(chunk);
  return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace

Result<PlainFill> PlainFill::prepare(const std::string& directory, uint64_t bytes) {
  TRY(io::make_directories(directory, 0755));
  Content content(limits::kChunkBytes);
  std::vector<std::string> chunks;
  for (uint64_t done = 0; done < bytes; done += limits::kChunkBytes) {
    const std::string_view chunk = content.next();
    chunks.push_back(name_of(chunk));
    ASSIGN_OR_RETURN(const FileDescriptor fd,
                     io::open_file(directory + "/" + chunks.back(), O_WRONLY | O_CREAT | O_TRUNC, 0644));
    TRY(io::write_at(fd.get(), chunk, 0));
  }
  return PlainFill(directory, std::move(chunks));
}

Status PlainFill::fill_share(int fd, size_t first, size_t step) const {
  std::vector<char> buffer(limits::kChunkBytes);
  for (size_t index = first; index < chunks_.size(); index += step) {
    ASSIGN_OR_RETURN(const FileDescriptor chunk, io::open_file(directory_ + "/" + chunks_[index], O_RDONLY));
    ASSIGN_OR_RETURN(const size_t got, io::read_at(chunk.get(), buffer.data(), buffer.size(), 0));
    const std::string_view bytes(buffer.data(), got);
    if (name_of(bytes) != chunks_[index]) return error(Code::kCorrupt, "chunk {} is damaged", chunks_[index]);
    TRY(io::write_at(fd, bytes, index * limits::kChunkBytes));
  }
  return {};
}

Result<double> PlainFill::run(int threads) const {
  const std::string image = directory_ + "/image";
  const auto count = static_cast<size_t>(threads);
  std::vector<Status> results(count);
  double speed = 0;
  {
    const Stopwatch watch;
    ASSIGN_OR_RETURN(const FileDescriptor fd, io::open_file(image, O_WRONLY | O_CREAT | O_TRUNC, 0644));
    std::vector<std::thread> workers;
    for (size_t index = 0; index < count; ++index)
      workers.emplace_back([&, index] { results[index] = fill_share(fd.get(), index, count); });
    for (std::thread& worker : workers) worker.join();
    speed = watch.megabytes_per_second(chunks_.size() * limits::kChunkBytes);
  }
  TRY(remove_path(image));
  for (const Status& result : results) TRY(result);
  return speed;
}

Status PlainFill::clean() const {
  std::error_code failure;
  std::filesystem::remove_all(directory_, failure);
  if (failure) return error(Code::kIo, "cannot remove {}: {}", directory_, failure.message());
  return {};
}

}  // namespace weir::bench
