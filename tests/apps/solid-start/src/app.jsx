export default () => <p>solid-start answers</p>;
