// Recreates a sub network's .tflite file from the base's and a delta: docs/edge_format.md.
//   g++ -std=c++17 -O2 edge_patch.cc -lz -o edge_patch
//   ./edge_patch super.tflite deltas/bird.delta bird.tflite
//
// It trusts no byte of the delta. Numbers in files are little-endian.

#include <zlib.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <vector>

namespace {

using Bytes = std::vector<uint8_t>;

constexpr size_t kHeaderBytes = 88, kGroupBytes = 20;
constexpr uint32_t kVersion = 1, kMostGroups = 1024, kMostRanges = 1 << 16;

void Check(bool good, const char* what) {
  if (!good) throw std::runtime_error(what);
}

uint32_t Rotated(uint32_t x, int by) { return x >> by | x << (32 - by); }

// FIPS 180-4. The constants are fractions of square and cube roots of the first primes.
std::array<uint8_t, 32> Sha256(const Bytes& data) {
  static const uint32_t k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
  uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  Bytes padded(data);
  padded.push_back(0x80);
  while (padded.size() % 64 != 56) padded.push_back(0);
  for (int i = 7; i >= 0; --i) padded.push_back(uint64_t{data.size()} * 8 >> 8 * i & 255);
  for (size_t at = 0; at < padded.size(); at += 64) {
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; ++i) {
      const uint8_t* p = &padded[at + 4 * i];
      w[i] = uint32_t{p[0]} << 24 | p[1] << 16 | p[2] << 8 | p[3];
    }
    for (int i = 16; i < 64; ++i) {
      const uint32_t x = w[i - 15], y = w[i - 2];
      w[i] = w[i - 16] + (Rotated(x, 7) ^ Rotated(x, 18) ^ x >> 3) + w[i - 7] +
             (Rotated(y, 17) ^ Rotated(y, 19) ^ y >> 10);
    }
    std::memcpy(s, h, sizeof s);
    for (int i = 0; i < 64; ++i) {
      const uint32_t e = s[4], a = s[0];
      const uint32_t t1 = s[7] + (Rotated(e, 6) ^ Rotated(e, 11) ^ Rotated(e, 25)) +
                          ((e & s[5]) ^ (~e & s[6])) + k[i] + w[i];
      const uint32_t t2 = (Rotated(a, 2) ^ Rotated(a, 13) ^ Rotated(a, 22)) +
                          ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
      std::memmove(s + 1, s, 7 * sizeof *s);
      s[4] += t1;
      s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; ++i) h[i] += s[i];
  }
  std::array<uint8_t, 32> digest;
  for (int i = 0; i < 32; ++i) digest[i] = h[i / 4] >> (24 - 8 * (i % 4));
  return digest;
}

uint32_t Number(const uint8_t* p) { return p[0] | p[1] << 8 | p[2] << 16 | uint32_t{p[3]} << 24; }

// Number i of n whose least significant bytes come first, then the next ones of all, and so on.
uint32_t FromPlanes(const uint8_t* p, size_t n, size_t i) {
  return p[i] | p[n + i] << 8 | p[2 * n + i] << 16 | uint32_t{p[3 * n + i]} << 24;
}

Bytes Inflate(const uint8_t* stream, size_t stream_bytes, size_t size) {
  Bytes data(size);
  uLongf found = size, used = stream_bytes;
  const int status = uncompress2(data.data(), &found, stream, &used);
  Check(status == Z_OK && found == size && used == stream_bytes, "a stream is damaged");
  return data;
}

// Adds the differences of a group to a network.
void AddGroup(const uint8_t* header, const uint8_t* stream, size_t stream_bytes, Bytes* network) {
  const int bits = header[0], zero = bits == 8 ? 0 : bits == 4 ? 7 : 1;
  const bool is_fields = bits <= 8, is_product = bits == 64;
  const size_t ranges = Number(header + 4), exceptions = Number(header + 8);
  const size_t stored = Number(header + 12), places = is_product ? 8 * ranges : 0;
  Check(!(header[1] | header[2] | header[3]), "reserved bytes are not zero");
  Check(bits == 2 || bits == 4 || bits == 8 || bits == 32 || is_product, "unknown kind of group");
  Check(ranges >= 1 && ranges <= kMostRanges && stored <= network->size() * 9 / 8 + 1 &&
            places <= stored && exceptions <= (is_fields ? network->size() : 0),
        "sizes are out of range");
  const Bytes data = Inflate(stream, stream_bytes, 9 * ranges + 5 * exceptions + stored);
  const uint8_t *offsets = data.data(), *lengths = offsets + 4 * ranges;
  const uint8_t *steps = lengths + 4 * ranges, *gaps = steps + ranges;
  const uint8_t *values = gaps + 4 * exceptions, *packed = values + exceptions;
  uint64_t total = 0;
  for (size_t r = 0; r < ranges; ++r)
    total += (uint64_t{Number(lengths + 4 * r)} * (is_fields ? bits : 8) + 7) / 8;
  size_t next = is_fields ? (total + 7) / 8 : places + total;  // Of fields, where the mask ends.
  Check(next <= stored && (is_fields || next == stored), "ranges take other sizes");
  Check(!is_fields || total % 8 == 0 || packed[total / 8] >> total % 8 == 0, "a mask is damaged");
  size_t previous_end = 0, sequence = 0, exception = 0, place = 0, at = 0;
  if (exceptions) place = FromPlanes(gaps, exceptions, 0);
  for (size_t r = 0; r < ranges; ++r) {
    const size_t offset = Number(offsets + 4 * r), length = Number(lengths + 4 * r);
    Check(length >= 1 && offset >= previous_end && offset + length <= network->size() &&
              (is_fields || length % 4 == 0),
          "ranges overlap, lie outside, or have a part of a word");
    previous_end = offset + length;
    uint8_t* target = network->data() + offset;
    for (size_t i = 0, byte = 0; i < length && is_fields; ++i) {
      if (i * bits % 8 == 0) {
        const bool is_stored = packed[at / 8] >> at % 8 & 1;
        Check(!is_stored || next < stored, "a mask tells of more than is there");
        byte = is_stored ? packed[next++] : zero * (bits == 2 ? 0x55 : 0x11);
        ++at;
      }
      target[i] += steps[r] * (int(byte >> (i * bits % 8) & ((1 << bits) - 1)) - zero);
    }
    const size_t factor = is_product ? Number(packed + 4 * r) : 0;
    const size_t source = is_product ? Number(packed + 4 * (ranges + r)) : offset;
    Check(is_fields || (factor + 4 <= network->size() && source + length <= network->size()),
          "factors lie outside");
    for (size_t i = 0; i < length && !is_fields; i += 4, ++at) {
      const uint32_t folded = FromPlanes(packed + places, total / 4, at);
      uint32_t words[2] = {Number(&(*network)[source + i]), Number(&(*network)[factor])};
      float numbers[2];
      std::memcpy(numbers, words, sizeof words);
      numbers[0] *= numbers[1];
      if (is_product) std::memcpy(words, numbers, sizeof words[0]);
      words[0] += folded >> 1 ^ (~(folded & 1) + 1);
      for (int b = 0; b < 4; ++b) target[i + b] = words[0] >> 8 * b;
    }
    for (; exception < exceptions && place < sequence + length; ++exception) {
      target[place - sequence] += values[exception];
      if (exception + 1 == exceptions) continue;
      const uint32_t gap = FromPlanes(gaps, exceptions, exception + 1);
      Check(gap >= 1, "exceptions are not in order");
      place += gap;
    }
    sequence += length;
  }
  Check((!is_fields || next == stored) && exception == exceptions, "something is left over");
}

Bytes Patch(const Bytes& base, const Bytes& delta) {
  Check(delta.size() >= kHeaderBytes && !std::memcmp(delta.data(), "SSTFDELT", 8), "no delta");
  const uint8_t* header = delta.data();
  Check(Number(header + 8) == kVersion, "the delta is of another version");
  const size_t groups = Number(header + 12);
  Check(groups <= kMostGroups && Number(header + 20) == 0, "sizes are out of range");
  Check(Number(header + 16) == base.size() && !std::memcmp(header + 24, Sha256(base).data(), 32),
        "the delta is of another base");
  size_t stream = kHeaderBytes + groups * kGroupBytes;
  Check(stream <= delta.size(), "the delta is cut");
  Bytes network(base);
  for (size_t g = 0; g < groups; ++g) {
    const uint8_t* group = header + kHeaderBytes + g * kGroupBytes;
    const size_t size = Number(group + 16);
    Check(size <= delta.size() - stream, "the delta is cut");
    Check(g == 0 || group[0] == 64 || group[-int{kGroupBytes}] != 64, "products are not the last");
    AddGroup(group, header + stream, size, &network);
    stream += size;
  }
  Check(stream == delta.size(), "bytes follow the delta");
  Check(!std::memcmp(header + 56, Sha256(network).data(), 32), "the result has another digest");
  return network;
}

Bytes Read(const char* path) {
  std::ifstream file(path, std::ios::binary);
  Check(bool(file), "cannot open a file");
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

int main(int count, char** arguments) {
  try {
    Check(count == 4, "usage: edge_patch BASE DELTA OUTPUT");
    const Bytes network = Patch(Read(arguments[1]), Read(arguments[2]));
    std::ofstream file(arguments[3], std::ios::binary);
    file.write(reinterpret_cast<const char*>(network.data()), network.size());
    Check(bool(file.flush()), "cannot write the output");
  } catch (const std::exception& error) {
    std::cerr << "edge_patch: " << error.what() << "\n";
    return 1;
  }
}
