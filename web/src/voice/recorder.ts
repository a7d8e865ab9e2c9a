// The microphone as 16-bit samples at 16 kHz. Keeps all of a recording, so that it can be uploaded when nobody could
// listen live. Must be stopped.
import workletUrl from "./pcm-worklet.js?url&no-inline";

export const RATE = 16_000;
export const SECONDS_MAX = 120;

export class Recorder {
  readonly chunks: Int16Array<ArrayBuffer>[] = [];
  private readonly context: AudioContext;
  private readonly stream: MediaStream;

  private constructor(context: AudioContext, stream: MediaStream) {
    this.context = context;
    this.stream = stream;
  }

  /** Asks for the microphone. Rejects when the user or the browser says no. `onFull`: nothing more is taken. */
  static async start(onChunk: (chunk: Int16Array<ArrayBuffer>) => void, onFull: () => void): Promise<Recorder> {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: true } });
    const context = new AudioContext();
    try {
      await context.audioWorklet.addModule(workletUrl);
    } catch (error) {
      for (const track of stream.getTracks()) track.stop();
      await context.close();
      throw error;
    }
    const recorder = new Recorder(context, stream);
    const node = new AudioWorkletNode(context, "pcm", { numberOfOutputs: 0 });
    node.port.onmessage = ({ data }: MessageEvent<Int16Array<ArrayBuffer>>) => {
      if (recorder.seconds >= SECONDS_MAX) return;
      recorder.chunks.push(data);
      onChunk(data);
      if (recorder.seconds >= SECONDS_MAX) onFull();
    };
    context.createMediaStreamSource(stream).connect(node);
    return recorder;
  }

  get seconds(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.length, 0) / RATE;
  }

  async stop(): Promise<void> {
    for (const track of this.stream.getTracks()) track.stop();
    if (this.context.state !== "closed") await this.context.close();
  }

  wav(): Blob {
    return new Blob([wavHeader(this.chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)), ...this.chunks], {
      type: "audio/wav",
    });
  }
}

export function wavHeader(bytes: number): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(44));
  const ascii = (at: number, text: string) => {
    for (let index = 0; index < text.length; index += 1) view.setUint8(at + index, text.charCodeAt(index));
  };
  ascii(0, "RIFF");
  view.setUint32(4, 36 + bytes, true);
  ascii(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // one channel
  view.setUint32(24, RATE, true);
  view.setUint32(28, RATE * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  ascii(36, "data");
  view.setUint32(40, bytes, true);
  return view.buffer;
}
