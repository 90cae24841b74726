#include "model/inode.h"

#include <sys/stat.h>

#include "base/limits.h"
#include "model/chunk.h"

namespace weir {

namespace {

constexpr uint8_t kInodeVersion = 1;
constexpr uint8_t kHasXattrs = 1;
constexpr uint8_t kHasDefaultAcl = 2;

void encode_content(Encoder& encoder, const Content& content) {
  encoder.u8(static_cast<uint8_t>(content.form));
  switch (content.form) {
    case Content::Form::kInline: encoder.sized(content.inline_bytes); break;
    case Content::Form::kChunks:
      encoder.raw(content.manifest.bytes()).u32(static_cast<uint32_t>(content.chunks.size()));
      for (const ChunkId& chunk : content.chunks) encoder.raw(chunk.bytes());
      break;
    case Content::Form::kPages:
      encoder.raw(content.manifest.bytes()).u32(static_cast<uint32_t>(content.pages.size()));
      for (PageId page : content.pages) encoder.u64(page.value);
      break;
  }
}

ManifestId decode_manifest_id(Decoder& decoder) {
  std::string_view bytes = decoder.raw(32);
  return decoder.failed() ? ManifestId() : ManifestId::from_bytes(bytes);
}

Content decode_content(Decoder& decoder, uint64_t size) {
  Content content;
  content.form = static_cast<Content::Form>(decoder.u8());
  if (content.form == Content::Form::kInline) {
    content.inline_bytes = Bytes(decoder.sized());
    if (content.inline_bytes.size() > size) decoder.fail();
  } else if (content.form == Content::Form::kChunks) {
    content.manifest = decode_manifest_id(decoder);
    uint32_t count = decoder.u32();
    if (count != chunk_count(size) || decoder.remaining() != count * size_t{32}) decoder.fail();
    for (uint32_t i = 0; i < count && !decoder.failed(); ++i)
      content.chunks.push_back(ChunkId::from_bytes(decoder.raw(32)));
  } else if (content.form == Content::Form::kPages) {
    content.manifest = decode_manifest_id(decoder);
    uint32_t count = decoder.u32();
    uint64_t pages = (chunk_count(size) + limits::kPageChunkIds - 1) / limits::kPageChunkIds;
    if (count != pages || decoder.remaining() != count * size_t{8}) decoder.fail();
    for (uint32_t i = 0; i < count && !decoder.failed(); ++i) content.pages.push_back(PageId{decoder.u64()});
  } else {
    decoder.fail();
  }
  return content;
}

}  // namespace

uint32_t mode_bits_of(FileType type) {
  switch (type) {
    case FileType::kFile: return S_IFREG;
    case FileType::kDirectory: return S_IFDIR;
    case FileType::kSymlink: return S_IFLNK;
    case FileType::kFifo: return S_IFIFO;
    case FileType::kSocket: return S_IFSOCK;
    case FileType::kCharDevice: return S_IFCHR;
    case FileType::kBlockDevice: return S_IFBLK;
  }
  return 0;
}

Result<FileType> type_of_mode(uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return FileType::kFile;
    case S_IFDIR: return FileType::kDirectory;
    case S_IFLNK: return FileType::kSymlink;
    case S_IFIFO: return FileType::kFifo;
    case S_IFSOCK: return FileType::kSocket;
    case S_IFCHR: return FileType::kCharDevice;
    case S_IFBLK: return FileType::kBlockDevice;
    default: return error(Code::kInvalid, "mode {:o} has no known file type", mode);
  }
}

Bytes Inode::encode() const {
  Encoder encoder;
  encoder.u8(kInodeVersion).u8(static_cast<uint8_t>(type)).u16(static_cast<uint16_t>(mode)).u32(uid).u32(gid);
  encoder.u32(link_count).u32(device).i64(atime_ns).i64(mtime_ns).i64(ctime_ns).i64(btime_ns);
  encoder.u64(size).u64(generation).u64(parent.value);
  encoder.u8(static_cast<uint8_t>((has_xattrs ? kHasXattrs : 0) | (has_default_acl ? kHasDefaultAcl : 0)));
  if (type == FileType::kSymlink) encoder.sized(symlink_target);
  if (type == FileType::kFile) encode_content(encoder, content);
  return std::move(encoder).take();
}

Result<Inode> Inode::decode(InodeId id, std::string_view bytes) {
  Decoder decoder(bytes);
  uint8_t version = decoder.u8();
  if (!decoder.failed() && version != kInodeVersion)
    return error(Code::kCorrupt, "inode {} has version {}, this program reads {}", id.value, version, kInodeVersion);
  Inode inode;
  inode.id = id;
  uint8_t type = decoder.u8();
  if (type < 1 || type > 7) decoder.fail();
  inode.type = static_cast<FileType>(type);
  inode.mode = decoder.u16();
  inode.uid = decoder.u32();
  inode.gid = decoder.u32();
  inode.link_count = decoder.u32();
  inode.device = decoder.u32();
  inode.atime_ns = decoder.i64();
  inode.mtime_ns = decoder.i64();
  inode.ctime_ns = decoder.i64();
  inode.btime_ns = decoder.i64();
  inode.size = decoder.u64();
  inode.generation = decoder.u64();
  inode.parent.value = decoder.u64();
  uint8_t flags = decoder.u8();
  inode.has_xattrs = flags & kHasXattrs;
  inode.has_default_acl = flags & kHasDefaultAcl;
  if (inode.mode > 07777 || flags > 3 || inode.size > limits::kFileBytes) decoder.fail();
  if (!decoder.failed() && inode.type == FileType::kSymlink) inode.symlink_target = Bytes(decoder.sized());
  if (!decoder.failed() && inode.type == FileType::kFile) inode.content = decode_content(decoder, inode.size);
  TRY(decoder.finish(fmt::format("inode {}", id.value)));
  return inode;
}

}  // namespace weir
