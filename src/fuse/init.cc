#include "fuse/init.h"

#include <algorithm>

#include "fuse/wire.h"

namespace weir::fuse {

namespace {

constexpr size_t kOldInitInBytes = 16;  // before FUSE_INIT_EXT

uint64_t offered_flags(const fuse_init_in& in) {
  const uint64_t low = in.flags;
  return (low & FUSE_INIT_EXT) != 0 ? low | uint64_t{in.flags2} << 32 : low;
}

}  // namespace

Result<InitAnswer> negotiate(std::string_view body, const InitOptions& options) {
  if (body.size() < kOldInitInBytes) return error(Code::kInvalid, "the kernel's INIT request is too short");
  fuse_init_in in{};
  std::memcpy(&in, body.data(), std::min(body.size(), sizeof(in)));
  if (in.major != kProtocolMajor || in.minor < kOldestProtocolMinor) {
    return error(Code::kUnsupported,
                 "this kernel speaks version {}.{} of the FUSE protocol; Weir needs {}.{} or newer, which is Linux 5.4 "
                 "(5.15 or newer is recommended)",
                 in.major, in.minor, kProtocolMajor, kOldestProtocolMinor);
  }

  InitAnswer answer;
  Negotiated& negotiated = answer.negotiated;
  negotiated.kernel_minor = in.minor;
  negotiated.minor = std::min(in.minor, kProtocolMinor);
  negotiated.offered = offered_flags(in);
  negotiated.flags = negotiated.offered & options.wanted;
  negotiated.max_write = options.max_write;
  negotiated.max_readahead = std::min(in.max_readahead, options.max_readahead);

  InitOut& out = answer.out;
  out.major = kProtocolMajor;
  out.minor = kProtocolMinor;
  out.max_readahead = negotiated.max_readahead;
  out.flags = static_cast<uint32_t>(negotiated.flags);
  out.flags2 = static_cast<uint32_t>(negotiated.flags >> 32);
  out.max_background = options.max_background;
  out.congestion_threshold = static_cast<uint16_t>(options.max_background / 4 * 3);
  out.max_write = options.max_write;
  out.time_gran = 1;
  out.max_pages = options.max_pages;
  if (negotiated.has(kInitPassthrough)) out.max_stack_depth = options.max_stack_depth;
  return answer;
}

}  // namespace weir::fuse
