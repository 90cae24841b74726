// What a damaged or hostile metadata engine may hold: decoding never crashes, and what it accepts is what encode()
// makes. The first byte chooses the record.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "model/inode.h"
#include "model/manifest.h"
#include "model/node_info.h"
#include "model/records.h"

namespace {

template <class Record>
void decode(std::string_view input) {
  auto record = Record::decode(input);
  if (record) CHECK(record->encode() == input);
}

void decode_inode(std::string_view input) {
  auto inode = weir::Inode::decode(weir::InodeId{2}, input);
  if (inode) CHECK(inode->encode() == input);
}

void decode_settings(std::string_view input) {
  auto settings = weir::VolumeSettings::decode(input);
  // Of a newer format only the version is read, so that it can be named.
  if (settings && settings->oldest_reader <= weir::kVolumeFormat) CHECK(settings->encode() == input);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir;
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 9) {
    case 0: decode_inode(input); break;
    case 1: decode<Manifest>(input); break;
    case 2: decode<Dentry>(input); break;
    case 3: decode<DirectoryDelta>(input); break;
    case 4: decode<ChunkRecord>(input); break;
    case 5: decode_settings(input); break;
    case 6: decode<NodeInfo>(input); break;
    case 7: decode<LeaseRow>(input); break;
    default:
      if (auto id = ChunkId::from_hex(input)) CHECK(id->hex() == input);
      break;
  }
  return 0;
}
