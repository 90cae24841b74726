#include "content.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace weir::exerciser {
namespace {

constexpr size_t kHeaderBytes = 4096;

}  // namespace

Content::Content(uint64_t bytes_max, bool shared) : bytes_max_(bytes_max), shared_(shared) {
  void* memory = mmap(nullptr, kHeaderBytes + bytes_max, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    std::perror("exerciser: no memory for the model of a file");
    std::exit(2);
  }
  header_ = static_cast<Header*>(memory);
  bytes_ = static_cast<char*>(memory) + kHeaderBytes;
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&header_->mutex, &attributes);
}

Content::~Content() { munmap(header_, kHeaderBytes + bytes_max_); }

void Content::write(uint64_t offset, std::string_view bytes) {
  if (bytes.empty()) return;  // makes no file larger
  std::memmove(bytes_ + offset, bytes.data(), bytes.size());
  grow(offset + bytes.size());
}

void Content::zero(uint64_t offset, uint64_t length) {
  const uint64_t end = std::min(offset + length, size());
  if (offset < end) std::memset(bytes_ + offset, 0, end - offset);
}

void Content::resize(uint64_t size) {
  if (size < header_->size) std::memset(bytes_ + size, 0, header_->size - size);
  header_->size = size;
}

void Content::grow(uint64_t size) { header_->size = std::max(header_->size, size); }

std::string_view Content::read(uint64_t offset, uint64_t length) const {
  if (offset >= size()) return {};
  return {bytes_ + offset, std::min(length, size() - offset)};
}

bool Content::is_zero(uint64_t begin, uint64_t end) const {
  return std::all_of(bytes_ + begin, bytes_ + std::max(begin, end), [](char byte) { return byte == 0; });
}

void Content::lock() { pthread_mutex_lock(&header_->mutex); }
void Content::unlock() { pthread_mutex_unlock(&header_->mutex); }

}  // namespace weir::exerciser
