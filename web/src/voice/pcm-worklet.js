// Runs beside the page's own thread: microphone samples in, 16-bit samples at 16 kHz out, a tenth of a second at once.
const RATE = 16000;
const CHUNK = RATE / 10;

class Pcm extends AudioWorkletProcessor {
  constructor() {
    super();
    this.step = sampleRate / RATE;
    this.position = 0; // of the next sample wanted, in samples of the input that came so far
    this.sum = 0;
    this.count = 0;
    this.chunk = new Int16Array(CHUNK);
    this.filled = 0;
  }

  process([input]) {
    const samples = input[0];
    if (!samples) return true;
    for (const sample of samples) {
      this.sum += sample;
      this.count += 1;
      this.position += 1;
      if (this.position >= this.step) {
        this.position -= this.step;
        this.put(this.sum / this.count); // the mean of what is left out is low-pass enough for speech
        this.sum = 0;
        this.count = 0;
      }
    }
    return true;
  }

  put(sample) {
    this.chunk[this.filled] = Math.max(-1, Math.min(1, sample)) * 32767;
    this.filled += 1;
    if (this.filled === CHUNK) {
      this.port.postMessage(this.chunk, [this.chunk.buffer]);
      this.chunk = new Int16Array(CHUNK);
      this.filled = 0;
    }
  }
}

registerProcessor("pcm", Pcm);
